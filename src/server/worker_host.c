/* worker_host: what results depend on that actions do not say: the toolchain of this machine. */
#include "worker.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "file.h"
#include "hash.h"
#include "utf8.h"

/* The content of a file, or that there is none. Content and not time, so that equal images agree.
 */
static void add_file(struct hash *h, const char *path)
{
	RX_CLEANUP(file_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };
	struct digest d = { 0 };
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    digest_of_fd(DIGEST_SHA256, fd, st.st_size, &d, &ignored))
		hash_add(h, path, strlen(path) + 1);
	hash_add(h, d.hash, d.len);
}

/* What is installed by hand has no package state; a directory's time changes with its entries. */
static void add_time(struct hash *h, const char *path)
{
	struct stat st;
	int64_t t[2] = { 0 };

	if (stat(path, &st) == 0) {
		t[0] = st.st_mtim.tv_sec;
		t[1] = st.st_mtim.tv_nsec;
	}
	hash_add(h, t, sizeof(t));
}

void worker_host_space(enum runner_sandbox kind, char out[65])
{
	static const char *const files[] = { "/etc/os-release", "/var/lib/dpkg/status",
					     "/lib/apk/db/installed", "/var/lib/rpm/rpmdb.sqlite" };
	static const char *const dirs[] = { "/usr/local/bin", "/usr/local/lib",
					    "/usr/local/include", "/etc/alternatives",
					    "/var/lib/pacman/local" };
	const char *layout = runner_layout(kind);
	struct hash *h = hash_new();
	uint8_t sum[HASH_MAX_LEN];
	struct utsname u;

	hash_begin(h, HASH_SHA256, 0);
	hash_add(h, layout, strlen(layout) + 1);
	if (uname(&u) == 0)
		hash_add(h, u.machine, strlen(u.machine) + 1);
	for (size_t i = 0; i < RX_COUNT(files); i++)
		add_file(h, files[i]);
	for (size_t i = 0; i < RX_COUNT(dirs); i++)
		add_time(h, dirs[i]);
	(void)hash_end(h, sum);
	hash_free(h);
	hex_encode(sum, 32, out);
}
