/* scan: listing directories, and what counts as the same thing twice.
 */
#include "scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "reach.h"
#include "scanbatch.h"
#include "utf8.h"

struct claim {
	const struct node *first, *second;
};
struct waiting {
	struct node *dir;
	const char *local;
};
struct scan {
	struct scan_options o;
	struct node_tree *tree;
	struct scanbatch *files;
	struct waiting *dirs; /* to be listed */
	size_t n_dirs, cap_dirs;
	struct claim *claims;
	size_t n_claims, cap_claims;
};

struct scan *scan_new(const struct scan_options *o, struct node_tree *t)
{
	struct scan *s = xcalloc(1, sizeof(*s));

	s->o = *o;
	s->tree = t;
	s->files = scanbatch_new(&s->o);
	return s;
}

void scan_free(struct scan *s)
{
	if (!s)
		return;
	scanbatch_free(s->files);
	free(s->dirs);
	free(s->claims);
	free(s);
}

static bool queue_file(struct scan *s, struct node *n, struct rx_err *err)
{
	if (s->o.want_mode || s->o.want_mtime)
		n->props = ARENA_NEW(&s->tree->arena, struct node_properties);
	return scanbatch_add(s->files, n, err);
}

/* ---- what is where ---- */

static const char *shown(struct scan *s, const char *path)
{
	return node_show_text(s->tree, path);
}

static bool is_text(const struct node *n)
{
	return n->data != NULL;
}

static const char *origin(struct scan *s, const struct node *n)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf path = { .max = RX_BUF_NO_MAX };

	if (is_text(n))
		return "given as text";
	if (!n->local && !n->parent->local)
		return "made for what is below it";
	scanbatch_local(n, &path);
	return shown(s, rx_buf_str(&path));
}

static bool conflict(struct scan *s, const struct node *a, const struct node *b, struct rx_err *err)
{
	return rx_fail(err, s->tree->code,
		       "'%s' is asked to be two things: a %s (%s) and a %s (%s)",
		       node_show(s->tree, a), node_kind_name(a->kind), origin(s, a),
		       node_kind_name(b->kind), origin(s, b));
}

static bool same_origin(const struct node *n, const char *full)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf path = { .max = RX_BUF_NO_MAX };

	if (is_text(n) || (!n->local && !n->parent->local))
		return false;
	scanbatch_local(n, &path);
	return strcmp(rx_buf_str(&path), full) == 0;
}

/* The node for `name` in dir. A taken name gives the node that is there when that is a directory
 * too or comes from the same place (then *again), else a node apart whose content is compared at
 * the end. `full` is the local path, NULL for texts; keep: it is not just dir's local and the name.
 */
static struct node *take(struct scan *s, struct node *dir, const char *name, enum node_kind kind,
			 const char *full, bool keep, bool *again, struct rx_err *err)
{
	struct node *have = dir->dir->n ? node_find(s->tree, dir, name, strlen(name)) : NULL;
	struct node *n;

	*again = false;
	if (have && have->kind == kind &&
	    (kind == NODE_DIRECTORY || (full && same_origin(have, full)))) {
		*again = true;
		return have;
	}
	if (have)
		n = node_apart(s->tree, dir, name, kind);
	else
		n = node_add(s->tree, dir, name, kind, err);
	if (!n)
		return NULL;
	if (!full)
		n->data = n; /* marks a text */
	else if (keep && kind != NODE_DIRECTORY)
		n->local = arena_str(&s->tree->arena, full);
	if (!have)
		return n;
	if (have->kind != kind) {
		conflict(s, have, n, err);
		return NULL;
	}
	RX_GROW(s->claims, s->n_claims, s->cap_claims);
	s->claims[s->n_claims++] = (struct claim){ have, n };
	return n;
}

/* A directory's own local path is that of the first of those that are put together in it: tasks
 * read it. */
static const char *queue_dir(struct scan *s, struct node *dir, const char *local)
{
	if (dir->local && strcmp(dir->local, local) == 0)
		return NULL; /* listed, or going to be */
	local = arena_str(&s->tree->arena, local);
	if (!dir->local)
		dir->local = local;
	RX_GROW(s->dirs, s->n_dirs, s->cap_dirs);
	s->dirs[s->n_dirs++] = (struct waiting){ dir, local };
	return local;
}

static bool add_link(struct scan *s, struct node *n, int dirfd, const char *at, const char *local,
		     struct rx_err *err)
{
	char target[PATH_MAX + 1];
	struct stat st;
	ssize_t len = readlinkat(dirfd, at, target, sizeof(target));

	if (len < 0)
		return rx_fail_errno(err, "reading the link '%s'", shown(s, local));
	if ((size_t)len >= sizeof(target))
		return rx_fail(err, RX_ELIMIT, "the target of '%s' is too long", shown(s, local));
	target[len] = 0;
	if (!utf8_valid(target, (size_t)len))
		return rx_fail(err, s->tree->code, "the target of '%s' is not UTF-8: '%s'",
			       shown(s, local), shown(s, target));
	if (s->o.links_stay && target[0] == '/')
		return rx_fail(err, s->tree->code,
			       "'%s' is a symbolic link to the absolute path '%s', which is not "
			       "allowed here",
			       shown(s, local), shown(s, target));
	if (s->o.want_mtime) {
		if (fstatat(dirfd, at, &st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0)
			return rx_fail_errno(err, "'%s'", shown(s, local));
		n->props = ARENA_NEW(&s->tree->arena, struct node_properties);
		scanbatch_properties(&s->o, n, &st);
		n->props->has_mode = false; /* a link has none of its own */
	}
	n->target = arena_str(&s->tree->arena, target);
	n->known = true;
	return true;
}

static bool excluded(struct scan *s, const struct node *dir, const char *name, bool *out,
		     struct rx_err *err)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf path = { .max = RX_BUF_NO_MAX };

	*out = false;
	if (!s->o.n_excludes)
		return true;
	node_add_path(dir, &path);
	if (path.n)
		rx_buf_add_char(&path, '/');
	rx_buf_add_str(&path, name);
	for (size_t i = 0; i < s->o.n_excludes && !*out; i++) {
		if (!pattern_search(s->o.excludes[i], rx_view_of(&path), out, err))
			return rx_wrap(err, "excluding '%s'", shown(s, rx_buf_str(&path)));
	}
	return true;
}

static bool no_stat(struct scan *s, const char *local, struct rx_err *err)
{
	if (s->o.resolve && errno == ENOENT)
		return rx_fail(err, RX_ENOENT,
			       "'%s' is a symbolic link to what is not there; keep links as they "
			       "are, or exclude it",
			       shown(s, local));
	if (errno == ELOOP)
		return rx_fail(err, s->tree->code, "'%s' is a symbolic link that leads to itself",
			       shown(s, local));
	return rx_fail_errno(err, "'%s'", shown(s, local));
}

static const char *type_name(unsigned char type)
{
	return type == DT_FIFO ? "FIFO" : type == DT_SOCK ? "socket" : "device";
}

/* One entry, `at` below fd, of the given d_type. */
static bool place(struct scan *s, struct node *dir, const char *name, int fd, const char *at,
		  const char *full, bool keep, unsigned char type, struct rx_err *err)
{
	enum node_kind kind = type == DT_REG   ? NODE_FILE
			      : type == DT_DIR ? NODE_DIRECTORY
			      : type == DT_LNK ? NODE_SYMLINK
					       : NODE_UNKNOWN;
	struct node *n;
	bool again;

	if (kind == NODE_UNKNOWN)
		return rx_fail(err, s->tree->code,
			       "'%s' is a %s: only files, directories and symbolic links can be "
			       "stored",
			       shown(s, full), type_name(type));
	n = take(s, dir, name, kind, full, keep, &again, err);
	if (!n)
		return false;
	if (kind == NODE_DIRECTORY)
		queue_dir(s, n, full);
	else if (again)
		return true;
	else if (kind == NODE_FILE)
		return queue_file(s, n, err);
	else
		return add_link(s, n, fd, at, full, err);
	return true;
}

/* In resolve mode a symlink may lead to a directory that we are in. */
static bool check_cycle(struct scan *s, struct node *dir, const char *local, const struct stat *st,
			struct rx_err *err)
{
	if (!s->o.resolve)
		return true;
	for (const struct node *up = dir->parent; up; up = up->parent) {
		if (up->dir->has_id && up->dir->dev == st->st_dev && up->dir->ino == st->st_ino)
			return rx_fail(err, s->tree->code,
				       "'%s' is the same directory as '%s', which holds it: "
				       "symbolic links form a cycle",
				       shown(s, local), shown(s, up->local));
	}
	dir->dir->dev = st->st_dev;
	dir->dir->ino = st->st_ino;
	dir->dir->has_id = true;
	return true;
}

static bool list_entries(struct scan *s, struct node *dir, const char *local, DIR *d,
			 struct rx_err *err)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf full = { .max = RX_BUF_NO_MAX };
	struct dirent *e;
	size_t base;

	rx_buf_add_str(&full, local);
	if (full.n == 0 || full.p[full.n - 1] != '/')
		rx_buf_add_char(&full, '/');
	base = full.n;
	while (errno = 0, (e = readdir(d))) {
		unsigned char type = e->d_type;
		bool skip;
		struct stat st;

		if (e->d_name[0] == '.' &&
		    (!e->d_name[1] || (e->d_name[1] == '.' && !e->d_name[2])))
			continue;
		full.n = base;
		rx_buf_add_str(&full, e->d_name);
		if (!excluded(s, dir, e->d_name, &skip, err))
			return false;
		if (skip)
			continue;
		if (type == DT_UNKNOWN || (type == DT_LNK && s->o.resolve)) {
			if (fstatat(dirfd(d), e->d_name, &st,
				    s->o.resolve ? 0 : AT_SYMLINK_NOFOLLOW) != 0)
				return no_stat(s, rx_buf_str(&full), err);
			type = (unsigned char)IFTODT(st.st_mode);
		}
		/* Files of a second directory at the same place do not lie below dir->local. */
		if (!place(s, dir, arena_str(&s->tree->arena, e->d_name), dirfd(d), e->d_name,
			   rx_buf_str(&full), dir->local != local, type, err))
			return false;
	}
	return errno == 0 || rx_fail_errno(err, "listing '%s'", shown(s, local));
}

static bool list(struct scan *s, struct node *dir, const char *local, int flags, struct rx_err *err)
{
	struct stat st;
	DIR *d;
	bool ok;
	int fd;

	if (rx_cancelled())
		return rx_fail(err, RX_ECANCEL, "reading directories was stopped");
	fd = reach_open(s->o.dirfd, local, O_RDONLY | O_DIRECTORY | flags, s->o.confined, &st, err);
	if (fd < 0)
		return false;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return rx_fail_errno(err, "listing '%s'", shown(s, local));
	}
	if ((s->o.want_mode || s->o.want_mtime) && !dir->props) {
		dir->props = ARENA_NEW(&s->tree->arena, struct node_properties);
		scanbatch_properties(&s->o, dir, &st);
	}
	/* A directory that lists but does not let us in; where this fails, the entry says so. */
	if (s->o.confined && !(st.st_mode & S_IXUSR))
		(void)!fchmod(fd, (st.st_mode & 07777) | S_IRWXU);
	ok = check_cycle(s, dir, local, &st, err) && list_entries(s, dir, local, d, err);
	closedir(d);
	return ok;
}

static bool list_all(struct scan *s, struct rx_err *err)
{
	while (s->n_dirs) {
		struct waiting w = s->dirs[--s->n_dirs];
		if (!list(s, w.dir, w.local, s->o.resolve ? 0 : O_NOFOLLOW, err))
			return false;
		if (scanbatch_stopped(s->files))
			break; /* scan_finish says why */
	}
	return true;
}

/* ---- what callers ask for ---- */

bool scan_directory(struct scan *s, struct node *dir, const char *local, struct rx_err *err)
{
	local = queue_dir(s, dir, local);
	if (!local)
		return true;
	s->n_dirs--; /* it may itself be a link, those below it not */
	return list(s, dir, local, 0, err) && list_all(s, err);
}

enum scan_found scan_add(struct scan *s, struct node *dir, const char *name, const char *local,
			 struct rx_err *err)
{
	struct stat st;
	bool skip;
	int fd;

	if (!excluded(s, dir, name, &skip, err))
		return SCAN_FAILED;
	if (skip)
		return SCAN_FOUND;
	if (!reach_stat(s->o.dirfd, local, s->o.resolve, s->o.confined, &st, &fd, err)) {
		/* A file where an action should have made a directory: the output is not there. */
		if (err->code != RX_ENOENT && !(s->o.confined && err->sys_errno == ENOTDIR))
			return SCAN_FAILED;
		rx_err_reset(err);
		return SCAN_ABSENT;
	}
	/* fd is the entry itself: a link is read through it with an empty path. */
	if (!place(s, dir, name, fd, "", local, true, (unsigned char)IFTODT(st.st_mode), err)) {
		file_close(&fd);
		return SCAN_FAILED;
	}
	file_close(&fd);
	return list_all(s, err) ? SCAN_FOUND : SCAN_FAILED;
}

bool scan_file(struct scan *s, struct node *file, const char *local, struct rx_err *err)
{
	file->local = arena_str(&s->tree->arena, local);
	return queue_file(s, file, err);
}

bool scan_text(struct scan *s, struct node *dir, const char *name, struct rx_view text,
	       bool executable, struct rx_err *err)
{
	struct blob blob;
	bool again;
	struct node *n = take(s, dir, name, NODE_FILE, NULL, false, &again, err);

	if (!n)
		return false;
	digest_of_view(s->o.function, text, &n->digest);
	n->is_executable = executable;
	n->known = true;
	blob = (struct blob){ .digest = n->digest, .bytes = text, .dirfd = -1, .name = name };
	return !s->o.sink || s->o.sink->put(s->o.sink, &blob, err);
}

bool scan_finish(struct scan *s, struct rx_err *err)
{
	if (!scanbatch_finish(s->files, err))
		return false;
	for (size_t i = 0; i < s->n_claims; i++) {
		const struct node *a = s->claims[i].first, *b = s->claims[i].second;
		bool same = a->kind == NODE_SYMLINK ? strcmp(a->target, b->target) == 0
						    : digest_eq(&a->digest, &b->digest) &&
							      a->is_executable == b->is_executable;
		if (!same)
			return conflict(s, a, b, err);
	}
	return true;
}
