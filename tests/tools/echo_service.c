/* echo_service: the smallest service, for the tests of service_ensure: claims, binds, gets ready,
 * accepts until SIGTERM. usage: echo_service DIR BUILD [crash|mute|slow]
 *
 * It adds a line "pid session cwd makeflags descriptors" to DIR/starts for every start. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "service.h"

static int die(const struct rx_err *err)
{
	fprintf(stderr, "echo_service: %s\n", rx_err_text(err));
	return 1;
}

static unsigned descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	for (const struct dirent *e; d && (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n - 1; /* the directory itself */
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	RX_CLEANUP(service_paths_release) struct service_paths p = { 0 };
	const char *mode = argc > 3 ? argv[3] : "";
	unsigned open_at_start = descriptors();
	char cwd[64] = "?", line[256];
	int lock;

	if (argc < 3 || !service_paths_init(&p, argv[1], &err))
		return die(&err);
	if (strcmp(mode, "crash") == 0) {
		fprintf(stderr, "first line\nit \033[31mcannot\n");
		return 1;
	}
	if (!service_claim(&p, argv[2], &lock, &err))
		return die(&err);
	if (strcmp(mode, "slow") == 0)
		clock_sleep_ms(300);
	if (!getcwd(cwd, sizeof(cwd)))
		return 1;
	int n = snprintf(line, sizeof(line), "%d %d %s %s %u\n", (int)getpid(), (int)getsid(0), cwd,
			 getenv("MAKEFLAGS") ? "makeflags" : "-", open_at_start);
	RX_CLEANUP(xfreep) char *starts = path_join(argv[1], "starts");
	int out = open(starts, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (out < 0 || !file_write_fd(out, line, (size_t)n, &err))
		return die(&err);
	close(out);
	if (strcmp(mode, "mute") == 0)
		return pause();
	memcpy(address.sun_path, p.socket, strlen(p.socket));
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s < 0 || bind(s, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(s, 16) < 0)
		return 1;
	service_ready("it says hello");
	for (;;) {
		int c = accept(s, NULL, NULL);
		if (c >= 0)
			close(c);
	}
}
