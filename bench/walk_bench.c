/* walk_bench: what walking a directory costs beside one thread that opens, reads and hashes the
 * same files: user and system time of both, and their ratio.
 *
 * cc -O2 -D_GNU_SOURCE -Isrc/{base,model,wire,tree} bench/walk_bench.c, linked with remex_tree and
 * remex_wire; DIR is the argument, then the number of rounds. */
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "hash.h"
#include "walk.h"
#include "wire_tree.h"

static struct hash *hash;
static size_t files;

static int yardstick(const char *path, const struct stat *st, int flag)
{
	static char buf[1 << 16];
	uint8_t out[HASH_MAX_LEN];
	ssize_t n;
	int fd;

	(void)st;
	if (flag != FTW_F)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	hash_begin(hash, HASH_SHA256, 0);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		hash_add(hash, buf, (size_t)n);
	hash_end(hash, out);
	close(fd);
	files++;
	return 0;
}

static double cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 5;
	double best_plain = 1e9, best_walk = 1e9;
	struct pool *pool = pool_new(0, 64);
	struct walk_result r = { 0 };

	if (argc < 2)
		return 2;
	hash = hash_new();
	for (int i = 0; i < rounds; i++) {
		struct walk_options o = { .root_dir = ".",
					  .function = DIGEST_SHA256,
					  .codec = &wire_directory_codec,
					  .pool = pool,
					  .keep_bytes = WALK_KEEP_BYTES };
		struct arena arena = { 0 };
		struct rx_err err = { 0 };
		enum node_kind kind;
		double start = cpu();

		files = 0;
		if (ftw(argv[1], yardstick, 64) != 0)
			return 1;
		best_plain = RX_MIN(best_plain, cpu() - start);
		start = cpu();
		if (!walk_path(&o, argv[1], NULL, &arena, &kind, &r, &err)) {
			fprintf(stderr, "%s\n", rx_err_text(&err));
			return 1;
		}
		best_walk = RX_MIN(best_walk, cpu() - start);
		arena_release(&arena);
	}
	printf("%zu files: open+read+hash %.3f s, walk %.3f s (user+sys), ratio %.2f\n", files,
	       best_plain, best_walk, best_walk / best_plain);
	hash_free(hash);
	pool_free(pool);
	return 0;
}
