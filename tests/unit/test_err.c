/* test_err: one line per failure, outermost first. */
#include "err.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>

Test(err, layers_read_outermost_first)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	cr_assert_str_eq(rx_err_text(&err), "");
	cr_assert_not(rx_fail(&err, RX_ELIMIT, "action is %d bytes", 9));
	cr_assert_not(rx_wrap(&err, "loading action from '%s'", "x"));
	cr_assert_eq(err.code, RX_ELIMIT);
	cr_assert_eq(err.sys_errno, 0);
	cr_assert_str_eq(rx_err_text(&err), "loading action from 'x': action is 9 bytes");
	rx_hint(&err, "blob x is y");
	rx_hint(&err, "try: %s", "this");
	cr_assert_str_eq(rx_buf_str(&err.hint), "blob x is y\ntry: this");
}

/* What to do next is the last thing one reads. */
Test(err, advice_stays_last)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	rx_fail(&err, RX_EIO, "x");
	rx_hint(&err, "try: this");
	rx_hint(&err, "a fact");
	rx_hint(&err, "try: that");
	rx_hint(&err, "another");
	cr_assert_str_eq(rx_buf_str(&err.hint), "a fact\nanother\ntry: this\ntry: that");
}

Test(err, a_copy_is_the_same_error)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 }, copy = { 0 };

	rx_fail_rpc(&err, 14, "x");
	rx_hint(&err, "h");
	err.service = true;
	rx_err_copy(&copy, &err);
	cr_assert(copy.code == RX_ERPC && copy.grpc_status == 14 && copy.service);
	cr_assert_str_eq(rx_err_text(&copy), "x");
	cr_assert_str_eq(rx_buf_str(&copy.hint), "h");
	rx_err_reset(&copy);
	cr_assert_not(copy.service);
}

Test(err, errno_decides_the_code)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	errno = ENOENT;
	rx_fail_errno(&err, "a%d", 1);
	cr_assert_eq(err.code, RX_ENOENT);
	cr_assert_eq(err.sys_errno, ENOENT);
	cr_assert_str_eq(rx_err_text(&err), "a1: No such file or directory");
	rx_err_reset(&err);
	cr_assert_eq(err.code, RX_OK);
	errno = EEXIST;
	rx_fail_errno(&err, "b");
	cr_assert_eq(err.code, RX_EEXIST);
	rx_err_reset(&err);
	errno = ENOSPC;
	rx_fail_errno(&err, "c");
	cr_assert_eq(err.code, RX_EIO);
	cr_assert_eq(err.sys_errno, ENOSPC);
}

Test(err, moves_to_where_none_is)
{
	RX_CLEANUP(rx_err_release) struct rx_err from = { 0 }, to = { 0 };

	rx_fail_rpc(&from, 8, "too much");
	rx_hint(&from, "less");
	rx_err_move(&to, &from);
	cr_assert_eq(from.code, RX_OK);
	cr_assert_eq(to.code, RX_ERPC);
	cr_assert_eq(to.grpc_status, 8);
	cr_assert_str_eq(rx_err_text(&to), "too much");
	cr_assert_str_eq(rx_buf_str(&to.hint), "less");
}

Test(err, an_argument_may_come_from_the_same_error)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	rx_fail(&err, RX_EIO, "one");
	err.code = RX_OK;
	rx_fail(&err, RX_EIO, "two after %s", rx_err_text(&err));
	cr_assert_str_eq(rx_err_text(&err), "two after one");
}

Test(err, a_huge_message_is_cut)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	RX_CLEANUP(xfreep) char *huge = xcalloc(1, 200001);

	memset(huge, 'x', 200000);
	rx_fail(&err, RX_EIO, "%s", huge);
	rx_wrap(&err, "front");
	cr_assert_eq(err.msg.n, RX_BUF_DEFAULT_MAX);
	cr_assert(rx_view_starts(rx_view_of(&err.msg), "front: xxx"));
}

Test(err, grpc_codes_have_names)
{
	cr_assert_str_eq(rx_grpc_name(0), "OK");
	cr_assert_str_eq(rx_grpc_name(8), "RESOURCE_EXHAUSTED");
	cr_assert_str_eq(rx_grpc_name(16), "UNAUTHENTICATED");
	cr_assert_str_eq(rx_grpc_name(17), "CODE_17");
	cr_assert_str_eq(rx_grpc_name(-1), "CODE_-1");
}

#ifndef NDEBUG
Test(err, a_second_failure_is_a_bug, .signal = SIGABRT)
{
	struct rx_err err = { 0 };

	rx_fail(&err, RX_EIO, "one");
	rx_fail(&err, RX_EIO, "two");
}
#endif
