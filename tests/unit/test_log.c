/* test_log: whole lines, notes once, the cancel flag. */
#include "log.h"

#include <criterion/criterion.h>
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

Test(log, cancel_stays_set)
{
	cr_assert_not(rx_cancelled());
	rx_cancel_set();
	cr_assert(rx_cancelled());
}
