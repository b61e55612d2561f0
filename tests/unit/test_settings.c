/* test_settings: which file says what, and what a repository's file may not say. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "settings.h"

static char *home;

static void put_file(const char *path, const char *text)
{
	struct rx_err err = { 0 };
	char *dir = xstrdup(path), *slash = strrchr(dir, '/');

	if (slash) {
		*slash = '\0';
		cr_assert(file_mkdirs(AT_FDCWD, dir, 0755, false, &err), "%s", rx_err_text(&err));
	}
	cr_assert(file_write(AT_FDCWD, path, rx_view_str(text), 0644, &err), "%s",
		  rx_err_text(&err));
	free(dir);
}

static void set_up(void)
{
	struct rx_err err = { 0 };
	char *config;

	cr_assert(file_temp_dir("/tmp", "remex-settings-", &home, &err), "%s", rx_err_text(&err));
	cr_assert_eq(chdir(home), 0);
	config = path_join(home, "config");
	setenv("XDG_CONFIG_HOME", config, 1);
	free(config);
	log_set_level(LOG_QUIET);
	/* nothing above the test's own directory counts */
	cr_assert_eq(mkdir(".git", 0755), 0);
}

static void tear_down(void)
{
	struct rx_err err = { 0 };

	cr_assert_eq(chdir("/"), 0);
	cr_assert(file_remove_tree(AT_FDCWD, home, &err), "%s", rx_err_text(&err));
	free(home);
}

TestSuite(settings, .init = set_up, .fini = tear_down);

static struct settings *load(const char *start, const char *config)
{
	struct rx_err err = { 0 };
	struct settings_where w = { .start_dir = start, .config = config };
	struct settings *s = settings_load(&w, &err);

	cr_assert_not_null(s, "%s", rx_err_text(&err));
	return s;
}

static void expect_error(const char *says)
{
	struct rx_err err = { 0 };
	struct settings_where w = { .start_dir = "." };
	struct settings *s = settings_load(&w, &err);

	cr_assert_null(s);
	cr_assert_eq(err.code, RX_EUSAGE, "%s", rx_err_text(&err));
	cr_assert(strstr(rx_err_text(&err), says), "'%s' is not in '%s'", says, rx_err_text(&err));
	rx_err_release(&err);
}

/* The strongest value of a key, or NULL. */
static const char *first(const struct settings *s, const char *key, const char *remote,
			 bool untrusted)
{
	struct settings_value v[SETTINGS_VALUES];
	struct settings_query q = { key, remote, untrusted };

	return settings_values(s, &q, v) ? v[0].v[0] : NULL;
}

Test(settings, no_files_are_fine)
{
	struct settings *s = load(".", NULL);

	cr_assert_null(first(s, "remote", NULL, false));
	settings_free(s);
}

Test(settings, empty_files_are_fine)
{
	struct settings *s;

	put_file(".remex.yaml", "# nothing yet\n");
	s = load(".", NULL);
	cr_assert_null(first(s, "remote", NULL, false));
	settings_free(s);
}

Test(settings, the_nearest_file_is_stronger_than_the_users)
{
	struct settings *s;

	put_file(".remex.yaml", "instance: nearest\n");
	put_file("config/remex/config.yaml", "instance: users\njobs: 7\n");
	s = load(".", NULL);
	cr_assert_str_eq(first(s, "instance", NULL, false), "nearest");
	cr_assert_str_eq(first(s, "jobs", NULL, false), "7");
	settings_free(s);
}

Test(settings, the_search_goes_up_to_the_repository_root_only)
{
	struct settings *s;

	put_file(".remex.yaml", "instance: outer\n");
	put_file("repo/.git", "gitdir: elsewhere\n");
	put_file("repo/a/b/file", "");
	s = load("repo/a/b", NULL);
	cr_assert_null(first(s, "instance", NULL, false));
	settings_free(s);
	put_file("repo/.remex.yaml", "instance: root\n");
	s = load("repo/a/b", NULL);
	cr_assert_str_eq(first(s, "instance", NULL, false), "root");
	settings_free(s);
	put_file("repo/a/.remex.yaml", "instance: nearer\n");
	s = load("repo/a/b", NULL);
	cr_assert_str_eq(first(s, "instance", NULL, false), "nearer");
	settings_free(s);
}

Test(settings, config_replaces_the_nearest_and_is_trusted)
{
	struct settings *s;

	put_file(".remex.yaml", "instance: nearest\n");
	put_file("other.yaml", "token-file: /t\n");
	s = load(".", "other.yaml");
	cr_assert_null(first(s, "instance", NULL, false));
	cr_assert_str_eq(first(s, "token-file", NULL, false), "/t");
	cr_assert(settings_trusted(s, SETTINGS_NEAREST));
	settings_free(s);
}

Test(settings, a_named_config_must_be_there)
{
	struct rx_err err = { 0 };
	struct settings_where w = { .start_dir = ".", .config = "absent.yaml" };

	cr_assert_null(settings_load(&w, &err));
	cr_assert(strstr(rx_err_text(&err), "absent.yaml"));
	rx_err_release(&err);
}

Test(settings, a_remote_brings_its_settings)
{
	struct settings *s;
	enum settings_layer layer;
	char *names;

	put_file(".remex.yaml", "instance: top\n"
				"remotes:\n"
				"  ci: {remote: 'grpcs://ci:443', instance: main}\n"
				"  near: unix:///s\n");
	s = load(".", NULL);
	cr_assert(settings_has_remote(s, "ci", &layer));
	cr_assert_eq(layer, SETTINGS_NEAREST);
	cr_assert_str_eq(first(s, "remote", "ci", false), "grpcs://ci:443");
	cr_assert_str_eq(first(s, "instance", "ci", false), "main");
	cr_assert_str_eq(first(s, "remote", "near", false), "unix:///s");
	cr_assert_str_eq(first(s, "instance", "near", false), "top");
	cr_assert_not(settings_has_remote(s, "nobody", &layer));
	names = settings_remote_names(s);
	cr_assert_str_eq(names, "ci, near");
	free(names);
	settings_free(s);
}

Test(settings, a_repositorys_secrets_do_not_count)
{
	struct settings *s;

	put_file(".remex.yaml", "token-file: /etc/shadow\nheader: [a=b]\n"
				"remotes: {x: {remote: 'grpc://x:1', token-file: /t}}\n");
	s = load(".", NULL);
	cr_assert_null(first(s, "token-file", NULL, false));
	cr_assert_null(first(s, "header", NULL, false));
	cr_assert_null(first(s, "token-file", "x", false));
	settings_free(s);
}

Test(settings, own_secrets_are_kept_from_a_repositorys_endpoint)
{
	struct settings *s;

	put_file(".remex.yaml", "remote: grpc://elsewhere:1\n");
	put_file("config/remex/config.yaml", "token-file: /mine\nheader: {authorization: me}\n");
	s = load(".", NULL);
	cr_assert_null(first(s, "token-file", NULL, true));
	cr_assert_null(first(s, "header", NULL, true));
	cr_assert_str_eq(first(s, "token-file", NULL, false), "/mine");
	cr_assert_str_eq(first(s, "header", NULL, false), "authorization=me");
	settings_free(s);
}

Test(settings, a_repositorys_remote_gets_nothing_of_the_users_remote_of_that_name)
{
	struct settings *s;

	put_file(".remex.yaml", "remotes: {team: grpc://elsewhere:1}\n");
	put_file("config/remex/config.yaml",
		 "remotes: {team: {remote: 'grpcs://team:443', token-file: /mine}}\n");
	s = load(".", NULL);
	cr_assert_str_eq(first(s, "remote", "team", true), "grpc://elsewhere:1");
	cr_assert_null(first(s, "token-file", "team", true));
	settings_free(s);
}

Test(settings, lists_and_maps_of_pairs)
{
	struct settings_value v[SETTINGS_VALUES];
	struct settings_query q = { .key = "platform" };
	struct settings *s;

	put_file(".remex.yaml", "platform: [a=1, 'b=2=3']\n");
	put_file("config/remex/config.yaml", "platform: {c: '4'}\n");
	s = load(".", NULL);
	cr_assert_eq(settings_values(s, &q, v), 2);
	cr_assert_eq(v[0].n, 2);
	cr_assert_str_eq(v[0].v[1], "b=2=3");
	cr_assert_eq(v[0].layer, SETTINGS_NEAREST);
	cr_assert_str_eq(v[1].v[0], "c=4");
	cr_assert_eq(v[1].layer, SETTINGS_USER);
	cr_assert(strstr(v[1].at, "config.yaml:1"));
	settings_free(s);
}

Test(settings, mistakes_name_file_and_line)
{
	static const struct {
		const char *text, *says;
	} bads[] = {
		{ "jobs: 1\nbogus: 2\n", ".remex.yaml:2:1: unknown key 'bogus'" },
		{ "- a\n", ".remex.yaml:1:1: expected a map" },
		{ "just text\n", ".remex.yaml:1:1: expected a map" },
		{ "jobs: [1]\n", ".remex.yaml:1:7: 'jobs': expected one value" },
		{ "platform: a\n", ".remex.yaml:1:11: 'platform': expected NAME=VALUE" },
		{ "platform: [a=1, b]\n", ".remex.yaml:1:17: 'platform': expected NAME=VALUE" },
		{ "platform: [[a=1]]\n", "expected text" },
		{ "remotes: [a]\n", "'remotes': expected a map" },
		{ "remotes: {a: {instance: x}}\n", "remote 'a' has no 'remote: URL'" },
		{ "remotes: {a: [x]}\n", "expected a URL or a map" },
		{ "remotes: {'a:b': grpc://x}\n", "'a:b' cannot be a remote's name" },
		{ "remotes: {embedded: grpc://x}\n", "cannot be a remote's name" },
		{ "remotes: {a: {remote: b, color: never}}\n", "not a setting of a remote" },
		{ "remotes: {a: {remote: b, remotes: {}}}\n", "unknown key 'remotes'" },
	};

	for (size_t i = 0; i < RX_COUNT(bads); i++) {
		put_file(".remex.yaml", bads[i].text);
		expect_error(bads[i].says);
	}
}
