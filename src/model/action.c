/* action: putting an action's lists into the order the protocol wants, and asking it by name. */
#include "action.h"

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct action_pair *)a)->name, ((const struct action_pair *)b)->name);
}

static int by_name_and_value(const void *a, const void *b)
{
	const struct action_pair *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	return c ? c : strcmp(x->value ? x->value : "", y->value ? y->value : "");
}

static int by_string(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_strictly_sorted(const void *v, size_t n, size_t size,
			       int (*cmp)(const void *, const void *))
{
	const char *p = v;

	for (size_t i = 1; i < n; i++)
		if (cmp(p + (i - 1) * size, p + i * size) >= 0)
			return false;
	return true;
}

/* Lists may be shared with other actions, so a list that changes is copied first. Returns the new
 * length. */
static size_t sort_unique(struct arena *a, void **v, size_t n, size_t size,
			  int (*cmp)(const void *, const void *))
{
	size_t kept = 0;
	char *p;

	if (is_strictly_sorted(*v, n, size, cmp))
		return n;
	p = arena_copy(a, *v, n * size);
	qsort(p, n, size, cmp);
	for (size_t i = 0; i < n; i++) {
		if (kept && cmp(p + (kept - 1) * size, p + i * size) == 0)
			continue;
		if (kept != i)
			memcpy(p + kept * size, p + i * size, size);
		kept++;
	}
	*v = p;
	return kept;
}

struct numbered {
	struct action_pair pair;
	size_t index;
};

/* By name, the later first: what an environment says last counts. */
static int by_name_latest(const void *a, const void *b)
{
	const struct numbered *x = a, *y = b;
	int c = strcmp(x->pair.name, y->pair.name);

	return c ? c : (x->index < y->index) - (x->index > y->index);
}

/* REAPI rule 13. */
static void sort_env(struct arena *a, struct action *action)
{
	struct numbered *v;
	size_t n = action->n_env, kept = 0;

	if (is_strictly_sorted(action->env, n, sizeof(*action->env), by_name))
		return;
	v = ARENA_ARRAY(a, struct numbered, n);
	for (size_t i = 0; i < n; i++)
		v[i] = (struct numbered){ action->env[i], i };
	qsort(v, n, sizeof(*v), by_name_latest);
	action->env = ARENA_ARRAY(a, struct action_pair, n);
	for (size_t i = 0; i < n; i++) {
		if (kept && strcmp(action->env[kept - 1].name, v[i].pair.name) == 0)
			continue;
		action->env[kept++] = v[i].pair;
	}
	action->n_env = kept;
}

static void sort_strings(struct arena *a, const char ***v, size_t *n)
{
	void *list = *v;

	*n = sort_unique(a, &list, *n, sizeof(**v), by_string);
	*v = list;
}

static void sort_pairs(struct arena *a, struct action_pair **v, size_t *n)
{
	void *list = *v;

	*n = sort_unique(a, &list, *n, sizeof(**v), by_name_and_value);
	*v = list;
}

void action_canonicalize(struct arena *a, struct action *action)
{
	sort_env(a, action);
	sort_strings(a, &action->output_paths, &action->n_output_paths); /* REAPI rule 14 */
	sort_strings(a, &action->output_files, &action->n_output_files);
	sort_strings(a, &action->output_directories, &action->n_output_directories);
	sort_strings(a, &action->output_node_properties, &action->n_output_node_properties);
	sort_pairs(a, &action->platform, &action->n_platform); /* REAPI rule 16 */
	sort_pairs(a, &action->command_platform, &action->n_command_platform);
}

static const char *find(const struct action_pair *v, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i].name, name) == 0)
			return v[i].value ? v[i].value : "";
	return NULL;
}

const char *action_env(const struct action *action, const char *name)
{
	return find(action->env, action->n_env, name);
}

const char *action_platform(const struct action *action, const char *name)
{
	return find(action->platform, action->n_platform, name);
}

const char *action_requirement(const struct action *action, const char *key)
{
	return find(action->requirements, action->n_requirements, key);
}
