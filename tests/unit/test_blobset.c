/* test_blobset: files of an action are handed on only as they were when they got their digest. */
#include "blobset.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"

static char *dir, *path;

static void setup(void)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	cr_assert(file_temp_dir("/tmp", "remex-test-", &dir, &err));
	path = path_join(dir, "input");
	cr_assert(file_write(AT_FDCWD, path, RX_VIEW("as it was"), 0644, &err));
}

static void teardown(void)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	cr_expect(file_remove_tree(AT_FDCWD, dir, &err), "%s", rx_err_text(&err));
	free(dir);
	free(path);
}

TestSuite(blobset, .init = setup, .fini = teardown);

struct reader {
	struct blob_receiver base;
	bool meddle;
	char text[64];
};

static void change(void)
{
	int fd = open(path, O_WRONLY);

	clock_sleep_ms(20); /* a tick of the file system's clock */
	cr_assert_eq(write(fd, "AS", 2), 2);
	close(fd);
}

static bool take_file(struct blob_receiver *self, const struct digest *d, int fd,
		      struct rx_err *err)
{
	struct reader *r = RX_CONTAINER(self, struct reader, base);
	size_t got;

	(void)d;
	if (r->meddle)
		change();
	return file_pread(fd, r->text, sizeof(r->text) - 1, 0, &got, err);
}

static bool fetch(struct reader *r, struct rx_err *err)
{
	struct blobset *s = blobset_new();
	struct blob b = { .path = path, .dirfd = AT_FDCWD, .name = "src/input" };
	struct digest_list missing = { 0 };
	bool ok;

	r->base.file = take_file;
	digest_of_view(DIGEST_SHA256, RX_VIEW("as it was"), &b.digest);
	cr_assert(blobset_sink(s)->put(blobset_sink(s), &b, err));
	ok = blobset_source(s, NULL)->fetch(blobset_source(s, NULL), &b.digest, 1, &r->base,
					    &missing, err);
	cr_expect_eq(missing.n, 0);
	blobset_free(s);
	return ok;
}

Test(blobset, a_file_as_it_was_is_handed_on)
{
	struct rx_err err = { 0 };
	struct reader r = { 0 };

	cr_assert(fetch(&r, &err), "%s", rx_err_text(&err));
	cr_expect_str_eq(r.text, "as it was");
}

Test(blobset, a_file_that_changed_before_is_refused)
{
	struct rx_err err = { 0 };
	struct reader r = { 0 };

	change();
	cr_assert_not(fetch(&r, &err));
	cr_expect_eq(err.code, RX_EDIGEST);
	cr_expect(strstr(rx_err_text(&err), "'src/input' changed"), "%s", rx_err_text(&err));
	rx_err_release(&err);
}

Test(blobset, a_file_that_changes_while_it_is_copied_is_refused)
{
	struct rx_err err = { 0 };
	struct reader r = { .meddle = true };

	cr_assert_not(fetch(&r, &err), "'%s' would be the input", r.text);
	cr_expect_eq(err.code, RX_EDIGEST);
	rx_err_release(&err);
}
