/* place: the private side of materialise: what is to be made, and making it on disk. */
#pragma once

#include <pthread.h>

#include "materialise.h"
#include "node.h"

/* A directory's descriptor, while it is among the open ones. */
struct place_dir {
	int fd; /* -1 closed */
	unsigned pins;
	bool created;
};
/* A file being written: under its own name (fresh) or a temporary one. */
struct place_file {
	struct node *node;
	int dirfd; /* of node->parent, pinned */
	int fd;    /* -1: none */
	char temp[32];
};
/* A file that is complete but for its name. */
struct place_waiting {
	struct node *node;
	char temp[32];
};
/* One blob and the files that get it (a list by node->next). */
struct place_want {
	struct digest digest;
	struct node *first;
	struct place_file open; /* between the receiver's open and close */
	bool done;
};
struct materialise {
	struct materialise_options o;
	struct node_tree tree; /* node->data: a file's inlined bytes, a directory's place_dir */
	int64_t bytes;         /* of all files */
	int target_fd;
	bool own_target;

	pthread_mutex_t lock; /* guards open, dirs' place_dir, stats: receivers run on any thread */
	struct node **open;
	size_t n_open, cap_open, hand;
	struct materialise_stats stats;

	struct rx_map by_digest; /* -> place_want; read-only while blobs come in */
	struct place_want **wants;
	size_t n_wants, cap_wants;
	struct place_waiting *waiting; /* with o.whole; guarded by lock */
	size_t n_waiting, cap_waiting;
	bool prepared, done; /* directories may be there; what was made stays */
};
/* What materialise_run does. */
RX_MUST_USE bool place_run(struct materialise *m, struct blob_source *source,
			   struct digest_list *missing, struct rx_err *err);
void place_release(struct materialise *m);

/* placedir: directories by descriptor, few of them open at once. Each opened beneath its parent
 * without following links. */
RX_MUST_USE bool placedir_acquire(struct materialise *m, struct node *dir, int *fd_out,
				  struct rx_err *err);
void placedir_release(struct materialise *m, struct node *dir);
/* Refuses, before anything is made, what is in the way; marks (known) what can stay. */
RX_MUST_USE bool placedir_check(struct materialise *m, struct rx_err *err);
RX_MUST_USE bool placedir_make(struct materialise *m, struct rx_err *err);
/* Takes back what placedir_make made, where nothing else is in it. */
void placedir_unmake(struct materialise *m);
/* Modes and times of directories, once everything is in them. */
RX_MUST_USE bool placedir_finish(struct materialise *m, struct rx_err *err);
const char *placedir_show(struct materialise *m, const struct node *n); /* thread-safe */
bool placedir_errno(struct materialise *m, const struct node *n, const char *what,
		    struct rx_err *err);
void placedir_close_all(struct materialise *m);
