/* fuzz_settings: any settings file gives settings that answer, or a usage error; a repository's
 * file never gives a secret. */
#include "fuzz.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "settings.h"

static void ask(const struct settings *s, const char *key)
{
	struct settings_value v[SETTINGS_VALUES];
	struct settings_query q = { .key = key, .endpoint_untrusted = true };
	size_t n = settings_values(s, &q, v);

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < v[i].n; k++)
			if (!v[i].v[k] || !v[i].at)
				abort();
	if (n && strcmp(key, "token-file") == 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	int fd RX_CLEANUP(file_close) = memfd_create("settings", MFD_CLOEXEC);
	RX_CLEANUP(xfreep) char *path = xasprintf("/proc/self/fd/%d", fd);
	struct settings_where w = { .start_dir = "/", .config = path };
	struct settings *s;

	log_set_level(LOG_QUIET);
	if (fd < 0 || !file_write_fd(fd, data, size, &err))
		return 0;
	s = settings_load(&w, &err);
	if (!s && err.code != RX_EUSAGE)
		abort();
	if (s) {
		ask(s, "remote");
		ask(s, "platform");
		ask(s, "token-file");
		free(settings_remote_names(s));
	}
	settings_free(s);
	return 0;
}
