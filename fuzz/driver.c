/* driver: replays a fuzz target's corpus without libFuzzer: every file of the folder, plus mutations of each that are
 * the same in every run. */
#include <dirent.h>
#include <stdint.h>

#include "fuzz.h"

#define MAX_SEED (1 << 20)
#define MUTATIONS 200

static uint64_t state = 0x9e3779b97f4a7c15u;

static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void mutate(uint8_t *p, size_t *n)
{
	for (uint64_t times = 1 + next() % 4; times && *n; times--) {
		size_t at = (size_t)(next() % *n);

		switch (next() % 4) {
		case 0:
			p[at] = (uint8_t)next();
			break;
		case 1:
			p[at] ^= (uint8_t)(1u << (next() % 8));
			break;
		case 2:
			*n = at;
			break;
		default: {
			size_t from = (size_t)(next() % *n);

			memmove(p + at, p + from, *n - (at > from ? at : from));
			break;
		}
		}
	}
}

static void replay(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *seed, *work;
	size_t n;

	if (!f) {
		perror(path);
		exit(1);
	}
	seed = malloc(MAX_SEED);
	n = fread(seed, 1, MAX_SEED, f);
	fclose(f);
	LLVMFuzzerTestOneInput(seed, n);
	for (unsigned i = 0; i < MUTATIONS && n; i++) {
		size_t m = n;

		/* A block of exactly the input's size: reading past it is seen. */
		work = malloc(n);
		memcpy(work, seed, n);
		mutate(work, &m);
		LLVMFuzzerTestOneInput(work, m);
		free(work);
	}
	free(seed);
}

int main(int argc, char **argv)
{
	unsigned files = 0;

	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);
		struct dirent *e;

		if (!dir) {
			perror(argv[i]);
			return 1;
		}
		while ((e = readdir(dir)) != NULL) {
			char path[4096];

			if (e->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/%s", argv[i], e->d_name);
			replay(path);
			files++;
		}
		closedir(dir);
	}
	printf("%u seeds replayed, %u mutations of each\n", files, MUTATIONS);
	return files ? 0 : 1;
}
