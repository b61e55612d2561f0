/* directory: the canonical order of one level of a tree. */
#include "directory.h"

/* strcmp compares unsigned bytes, which for UTF-8 is code point order (REAPI rule 8). */
static int by_file(const void *a, const void *b)
{
	return strcmp(((const struct file_node *)a)->name, ((const struct file_node *)b)->name);
}

static int by_dir(const void *a, const void *b)
{
	return strcmp(((const struct directory_node *)a)->name,
		      ((const struct directory_node *)b)->name);
}

static int by_link(const void *a, const void *b)
{
	return strcmp(((const struct symlink_node *)a)->name,
		      ((const struct symlink_node *)b)->name);
}

/* By name; a name that repeats by value, so that equal sets give equal bytes (REAPI rule 12). */
static int by_property(const void *a, const void *b)
{
	const struct node_property *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	return c ? c : strcmp(x->value, y->value);
}

static void sort(void *v, size_t n, size_t size, int (*cmp)(const void *, const void *))
{
	const char *p = v;

	/* What was walked in order stays untouched: entries are large and lists long. */
	for (size_t i = 1; i < n; i++) {
		if (cmp(p + (i - 1) * size, p + i * size) > 0) {
			qsort(v, n, size, cmp);
			return;
		}
	}
}

static void sort_properties(struct node_properties *p)
{
	sort(p->properties, p->n, sizeof(*p->properties), by_property);
}

void directory_sort(struct directory *d)
{
	sort(d->files, d->n_files, sizeof(*d->files), by_file);
	sort(d->dirs, d->n_dirs, sizeof(*d->dirs), by_dir);
	sort(d->links, d->n_links, sizeof(*d->links), by_link);
	sort_properties(&d->props);
	for (size_t i = 0; i < d->n_files; i++)
		sort_properties(&d->files[i].props);
	for (size_t i = 0; i < d->n_links; i++)
		sort_properties(&d->links[i].props);
}
