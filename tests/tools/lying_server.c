/* lying_server: the lying server as a program, for tests that start real commands. Prints its URL
 * when it listens, and a line each time it begins to hang; ends with its stdin or on a signal. */
#include <stdio.h>
#include <unistd.h>

#include "lying.h"

static int usage(void)
{
	const char *text, *name;

	(void)fprintf(stderr, "usage: lying_server --listen unix:///PATH|HOST:PORT [--lie "
			      "NAME[@METHOD][=TIMES[:N]]]...\n"
			      "TIMES -1 (the default) is always; lies about calls may be about one "
			      "METHOD. Lies:\n");
	for (size_t i = 0; (name = lying_name(i, &text)); i++)
		(void)fprintf(stderr, "  %-28s %s\n", name, text);
	return 2;
}

static void told(const char *lie)
{
	(void)printf("%s\n", lie);
	(void)fflush(stdout);
}

static bool tell(struct lying *s, const char *spec)
{
	RX_CLEANUP(xfreep) char *name = xstrdup(spec);
	char *equals = strchr(name, '='), *colon = equals ? strchr(equals, ':') : NULL;
	long times = equals ? strtol(equals + 1, NULL, 10) : -1;
	long long n = colon ? strtoll(colon + 1, NULL, 10) : 0;

	if (equals)
		*equals = 0;
	return lying_tell(s, name, (int)times, n);
}

int main(int argc, char **argv)
{
	struct rx_err err = { 0 };
	const char *where = NULL;
	struct lying *s;
	struct loop *loop;
	struct pool *pool;
	char byte;

	for (int i = 1; i < argc; i += 2) {
		if (i + 1 >= argc)
			return usage();
		if (strcmp(argv[i], "--listen") == 0)
			where = argv[i + 1];
		else if (strcmp(argv[i], "--lie") != 0)
			return usage();
	}
	if (!where)
		return usage();
	loop = loop_new();
	pool = pool_new(4, 64);
	s = lying_new(loop, pool, where, &err);
	if (!s) {
		(void)fprintf(stderr, "lying_server: %s\n", rx_err_text(&err));
		return 1;
	}
	for (int i = 1; i < argc; i += 2) {
		if (strcmp(argv[i], "--lie") == 0 && !tell(s, argv[i + 1]))
			return usage();
	}
	lying_on_hang(s, told);
	(void)printf("%s\n", lying_url(s));
	(void)fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	lying_free(s);
	pool_free(pool);
	loop_free(loop);
	return 0;
}
