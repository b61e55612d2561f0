/* result: finding and ordering what an action left behind. */
#include "result.h"

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct result_output *)a)->path,
		      ((const struct result_output *)b)->path);
}

const struct result_output *result_find(const struct result *r, const char *path)
{
	for (size_t i = 0; i < r->n_outputs; i++)
		if (strcmp(r->outputs[i].path, path) == 0)
			return &r->outputs[i];
	return NULL;
}

void result_sort(struct result *r)
{
	if (r->n_outputs > 1)
		qsort(r->outputs, r->n_outputs, sizeof(*r->outputs), by_path);
}
