/* test_log: whole lines, notes once, the cancel flag. */
#include "log.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int end;

static void open_pipe(void)
{
	int fd[2];

	cr_assert_eq(pipe(fd), 0);
	end = fd[0];
	log_set_fd(fd[1]);
}

static const char *logged(void)
{
	static char text[65536];

	log_set_fd(2); /* whatever is written later goes elsewhere */
	ssize_t n = read(end, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

Test(log, a_note_comes_once_and_stays_one_line, .init = open_pipe)
{
	for (int i = 0; i < 3; i++) {
		rx_note("server %s says\nhi", "x");
		rx_note("other");
	}
	cr_assert_str_eq(logged(), "remex: note: server x says\\x0ahi\nremex: note: other\n");
}

Test(log, levels_decide, .init = open_pipe)
{
	cr_assert_eq(log_level(), LOG_NORMAL);
	rx_debug("not shown");
	log_set_level(LOG_QUIET);
	rx_note("quiet");
	log_set_level(LOG_DEBUG);
	rx_debug("number %d", 7);
	cr_assert_str_eq(logged(), "remex: debug: number 7\n");
}

Test(log, a_long_line_is_cut_and_ended, .init = open_pipe)
{
	static char big[30000];

	memset(big, 'x', sizeof(big) - 1);
	rx_note("%s", big);
	const char *text = logged();
	cr_assert_lt(strlen(text), 9000);
	cr_assert_eq(text[strlen(text) - 1], '\n');
}

Test(log, a_file_starts_anew_when_it_is_full)
{
	char name[] = "/tmp/remex-test-XXXXXX";
	int fd = mkstemp(name);
	struct stat st;
	off_t highest = 0;
	unsigned dropped = 0;

	cr_assert(fd >= 0 && unlink(name) == 0);
	cr_assert_eq(fcntl(fd, F_SETFL, O_APPEND), 0);
	log_set_fd(fd);
	log_set_level(LOG_DEBUG);
	log_set_max(10000);
	for (unsigned i = 0; i < 1000; i++) {
		off_t before = lseek(fd, 0, SEEK_END);

		rx_debug("line %u of a server that runs for months", i);
		cr_assert_eq(fstat(fd, &st), 0);
		dropped += st.st_size < before;
		highest = st.st_size > highest ? st.st_size : highest;
	}
	log_set_fd(2);
	cr_expect_gt(highest, 9900);
	cr_expect_lt(highest, 10100);
	cr_expect_geq(dropped, 4);
	cr_expect_gt(st.st_size, 0);
	close(fd);
}

Test(log, cancel_stays_set)
{
	cr_assert_not(rx_cancelled());
	rx_cancel_set();
	cr_assert(rx_cancelled());
}
