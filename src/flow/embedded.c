/* embedded: finds the place of the server one gets without asking, and starts it on demand. */
#include "embedded.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "hash.h"
#include "utf8.h"

#define EMBEDDED_WAIT_MS 15000
#define SOCKET_PATH_MAX  107 /* sun_path less its NUL */

static char *absolute(const char *path)
{
	char here[PATH_MAX];

	if (path[0] == '/')
		return xstrdup(path);
	return getcwd(here, sizeof(here)) ? path_join(here, path) : NULL;
}

/* Whoever can write there decides what our results are, and what we remove. */
static bool check_ours(const char *dir, bool follow, struct rx_err *err)
{
	struct stat st;

	if (fstatat(AT_FDCWD, dir, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW) != 0)
		return rx_fail_errno(err, "%s", dir);
	if (!S_ISDIR(st.st_mode))
		return rx_fail(err, RX_EUSAGE, "'%s' is not a directory", dir);
	if (st.st_uid != geteuid())
		return rx_fail(err, RX_EUSAGE, "'%s' belongs to user %u, not to us (user %u)", dir,
			       st.st_uid, geteuid());
	return (st.st_mode & S_IWOTH) == 0 ||
	       rx_fail(err, RX_EUSAGE, "others can write to '%s' (mode %03o)", dir,
		       st.st_mode & 0777);
}

bool embedded_dir(char **out, struct rx_err *err)
{
	const char *state = getenv("REMEX_STATE_DIR");
	const char *cache = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");
	bool in_tmp = false;
	char *dir;

	if (state && *state)
		dir = absolute(state);
	else if (cache && cache[0] == '/')
		dir = xasprintf("%s/remex", cache);
	else if (home && home[0] == '/')
		dir = xasprintf("%s/.cache/remex", home);
	else {
		dir = xasprintf("/tmp/remex-%u", (unsigned)geteuid());
		in_tmp = true;
	}
	if (!dir)
		return rx_fail_errno(err, "REMEX_STATE_DIR '%s'", state);
	if (!file_mkdirs(AT_FDCWD, dir, 0700, false, err) || !check_ours(dir, !in_tmp, err)) {
		free(dir);
		rx_wrap(err, "the embedded server's directory");
		rx_hint(err, "try: REMEX_STATE_DIR=DIR, a directory that is yours");
		return false;
	}
	*out = dir;
	return true;
}

bool embedded_paths(struct service_paths *out, struct rx_err *err)
{
	RX_CLEANUP(xfreep) char *dir = NULL;
	RX_CLEANUP(xfreep) char *run = NULL;
	uint8_t hash[HASH_MAX_LEN];
	char hex[17];

	if (!embedded_dir(&dir, err))
		return false;
	/* A socket's path is short by law; a long state directory gets a short stand-in. */
	if (strlen(dir) + sizeof("/run/socket") <= SOCKET_PATH_MAX) {
		run = xasprintf("%s/run", dir);
	} else {
		hash_bytes(HASH_SHA256, dir, strlen(dir), hash);
		hex_encode(hash, 8, hex);
		run = xasprintf("/tmp/remex-%u-%s", (unsigned)geteuid(), hex);
	}
	if (service_paths_init(out, run, err))
		return true;
	rx_wrap(err, "the embedded server's directory");
	rx_hint(err, "try: REMEX_STATE_DIR=DIR, a directory that is yours");
	return false;
}

static int find_build_id(struct dl_phdr_info *info, size_t size RX_UNUSED, void *ctx)
{
	char *hex = ctx;

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		const char *p = (const char *)(info->dlpi_addr + ph->p_vaddr);
		const char *end = p + ph->p_memsz;

		if (ph->p_type != PT_NOTE)
			continue;
		while ((size_t)(end - p) >= sizeof(ElfW(Nhdr))) {
			ElfW(Nhdr) note;
			size_t name_len, desc_len;

			memcpy(&note, p, sizeof(note));
			p += sizeof(note);
			name_len = (note.n_namesz + 3u) & ~3u;
			desc_len = (note.n_descsz + 3u) & ~3u;
			if (name_len + desc_len > (size_t)(end - p))
				break;
			if (note.n_type == NT_GNU_BUILD_ID && note.n_descsz <= 32 &&
			    note.n_namesz == 4 && memcmp(p, "GNU", 4) == 0) {
				hex_encode((const uint8_t *)p + name_len, note.n_descsz, hex);
				return 1;
			}
			p += name_len + desc_len;
		}
	}
	return 1; /* the first object is the program itself; the libraries don't matter */
}

const char *embedded_build_id(void)
{
	static char hex[65];

	if (!hex[0]) {
		dl_iterate_phdr(find_build_id, hex);
		if (!hex[0])
			snprintf(hex, sizeof(hex), "remex-%s", REMEX_VERSION);
	}
	return hex;
}

/* The server runs in "/": a relative REMEX_STATE_DIR is another one there. */
static bool keep_state_dir(struct rx_err *err)
{
	const char *state = getenv("REMEX_STATE_DIR");
	RX_CLEANUP(xfreep) char *dir = NULL;

	if (!state || !*state || state[0] == '/')
		return true;
	return embedded_dir(&dir, err) &&
	       (setenv("REMEX_STATE_DIR", dir, 1) == 0 || rx_fail_errno(err, "REMEX_STATE_DIR"));
}

bool embedded_ensure(const char *program, char **url_out, bool *started_out, char **note_out,
		     struct rx_err *err)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf said = { 0 };
	RX_CLEANUP(service_paths_release) struct service_paths paths = { 0 };
	const char *argv[] = { program, "serve", "--on-demand", NULL };
	struct service_spawn how = { .argv = argv,
				     .wait_ms = EMBEDDED_WAIT_MS,
				     .build_id = embedded_build_id(),
				     .said = &said };

	if (!embedded_paths(&paths, err) || !keep_state_dir(err))
		return false;
	if (!service_ensure(&paths, &how, started_out, err))
		return rx_wrap(err, "starting the embedded server");
	*url_out = xasprintf("unix://%s", paths.socket);
	*note_out = said.n ? rx_buf_take(&said) : NULL;
	return true;
}
