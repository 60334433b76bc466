/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Child processes: each in its own session and process group, as its user, with /dev/null for stdio, no descriptor, signal mask,
 * inheritable capability or real-time priority of ours; SIGTERM when we die. No shell. Starting one costs the loop a vfork() and nothing that a script does
 * afterwards can hold it up: the end is an event (pidfd), a time-out is a timer.
 */
#ifndef VX_EXEC_H
#define VX_EXEC_H

#include "hand.h"
#include "loop.h"

#include <stddef.h>
#include <sys/types.h>

struct exec;
struct exec_job;

enum { EXEC_ARGS_MAX = 64 };

/* How it ended. */
enum exec_end {
	EXEC_EXITED,   /* @code is the exit status */
	EXEC_SIGNALED, /* @code is the signal */
	EXEC_TIMEOUT,  /* SIGTERM, and SIGKILL 2 s later, to the process group; told at SIGTERM */
	EXEC_GONE,     /* told after EXEC_TIMEOUT, when the process is no more */
	EXEC_FAILED,   /* never ran; @code is errno. exec_wait() only: exec_start() returns it */
};

typedef void (*exec_done_fn)(void *arg, enum exec_end end, int code);

/* What to run. @extra: arguments appended after @argv, NULL-terminated, or NULL. */
struct exec_cmd {
	char *const *argv;
	const char *const *extra;
	uid_t uid;
	gid_t gid;
	bool supplementary_groups; /* set_supplementary_groups: the user's own; otherwise none */
};

/* The controller has gone to CPUs of its own (vrrp_cpu_affinity): from now on no child follows it there. */
void exec_set_pinned(void);
/* *@out is owned by the caller; 0 or -errno. exec_free(NULL) is legal and kills what still runs. */
int exec_new(struct exec **out, struct loop *loop);
void exec_free(struct exec *x);
/*
 * Starts a process. @done may be NULL. @timeout_ns 0: none. Returns 0, or -errno when it could not be run (then @done is not called).
 * *@job, if wanted, is valid until @done has told anything but EXEC_TIMEOUT; exec_kill() ends it early: SIGTERM to its group, SIGKILL 2 s
 * later. exec_forget() lets it go on. After either, @done is not called any more.
 */
int exec_start(struct exec *x, const struct exec_cmd *cmd, uint64_t timeout_ns, exec_done_fn done, void *arg,
	       struct exec_job **job);
void exec_kill(struct exec *x, struct exec_job *job);
void exec_forget(struct exec_job *job);
/*
 * What runs goes on under the controller that follows in this process: time-outs hold, and the ends are heard of there. exec_claim() gives
 * the job of @pid to the one it was started for; NULL: it has ended.
 */
void exec_hand(struct exec *x, struct hand *h);
struct exec_job *exec_claim(struct exec *x, pid_t pid, exec_done_fn done, void *arg);
pid_t exec_pid(const struct exec_job *job); /* 0: of no job */
/* Looks up @uid's supplementary groups now, so that exec_start() need not ask a name service later. 0 or -errno. */
int exec_learn(struct exec *x, uid_t uid, gid_t gid);
/* Runs a command to its end before anything else happens (startup_script, shutdown_script); SIGKILL after @timeout_ns.
 * EXEC_* and *@code as above. */
enum exec_end exec_wait(const struct exec_cmd *cmd, uint64_t timeout_ns, int *code);
/* At stop: gives what runs @grace_ns to end, then SIGTERM to the rest and 2 s for that. Blocks no longer than both. */
void exec_drain(struct exec *x, uint64_t grace_ns);

#endif
