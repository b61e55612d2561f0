/* cas_jobs: the sending threads of an upload and their queue. */
#include <errno.h>

#include "cas_slab.h"

void cas_upload_fail(struct cas_upload *u, struct rx_err *err)
{
	pthread_mutex_lock(&u->lock);
	if (!atomic_exchange(&u->failed, true))
		rx_err_move(&u->error, err);
	pthread_cond_broadcast(&u->work);
	pthread_cond_broadcast(&u->room);
	pthread_mutex_unlock(&u->lock);
	rx_err_reset(err);
}

static void job_free(struct cas_upload *u, struct cas_job *job)
{
	if (job->slab)
		cas_slab_unref(job->slab);
	if (job->bytes) {
		pthread_mutex_lock(&u->lock);
		u->loose_bytes -= job->digest.size;
		pthread_cond_broadcast(&u->room);
		pthread_mutex_unlock(&u->lock);
	}
	free(job->bytes);
	free(job->path);
	free(job->name);
	free(job->idx);
	free(job);
}

static void *upload_thread(void *arg)
{
	struct cas_upload *u = arg;

	pthread_mutex_lock(&u->lock);
	for (;;) {
		struct cas_job *job = u->jobs;

		if (!job) {
			if (u->stop)
				break;
			u->idle++;
			pthread_cond_wait(&u->work, &u->lock);
			u->idle--;
			continue;
		}
		u->jobs = job->next;
		if (!u->jobs)
			u->last_job = NULL;
		job->next = NULL;
		u->queued--;
		pthread_mutex_unlock(&u->lock);
		if (!atomic_load(&u->failed)) {
			RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

			if (!cas_job_run(u, job, &err))
				cas_upload_fail(u, &err);
		}
		job_free(u, job);
		pthread_mutex_lock(&u->lock);
		if (--u->pending == 0)
			pthread_cond_broadcast(&u->room);
	}
	pthread_mutex_unlock(&u->lock);
	return NULL;
}

/* Under the lock. */
static void start_thread(struct cas_upload *u)
{
	if (u->stop || u->queued <= u->idle || u->n_threads >= u->max_threads)
		return;
	errno = pthread_create(&u->threads[u->n_threads], NULL, upload_thread, u);
	if (errno == 0)
		u->n_threads++;
	else if (u->n_threads == 0 && !atomic_exchange(&u->failed, true))
		rx_fail_errno(&u->error, "starting a thread");
}

void cas_upload_queue(struct cas_upload *u, struct cas_job *job)
{
	pthread_mutex_lock(&u->lock);
	/* Slabs first: they hold memory that put waits for. */
	if (job->kind == CAS_JOB_SLAB || job->kind == CAS_JOB_RUN) {
		job->next = u->jobs;
		u->jobs = job;
		if (!u->last_job)
			u->last_job = job;
	} else {
		if (u->last_job)
			u->last_job->next = job;
		else
			u->jobs = job;
		u->last_job = job;
	}
	u->queued++;
	u->pending++;
	start_thread(u);
	pthread_cond_signal(&u->work);
	pthread_mutex_unlock(&u->lock);
}

/* Ends the threads; what is still queued is dropped when the upload failed. */
void cas_upload_join(struct cas_upload *u)
{
	struct cas_job *job;
	unsigned n;

	pthread_mutex_lock(&u->lock);
	u->stop = true;
	n = u->n_threads;
	pthread_cond_broadcast(&u->work);
	pthread_mutex_unlock(&u->lock);
	for (unsigned i = 0; i < n; i++)
		pthread_join(u->threads[i], NULL);
	u->n_threads = 0;
	u->stop = false;
	/* Left only when no thread could be started. */
	while ((job = u->jobs)) {
		u->jobs = job->next;
		job_free(u, job);
	}
	u->last_job = NULL;
	u->queued = u->pending = 0;
}
