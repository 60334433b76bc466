// SPDX-License-Identifier: GPL-2.0-or-later
#include "restart.h"

#include "guardian.h"
#include "log.h"
#include "will.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define ASK_NS (3 * VX_NS_PER_S)

static char path[PATH_MAX]; /* "": not known */
static char *words[EXEC_ARGS_MAX + 1];
static struct hand hand;
static struct will will;
static bool handed, rehearsing;

/* The name, not the file behind it: an upgrade puts another file there. */
static void find_path(void)
{
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): that is how getauxval() gives a pointer */
	const char *name = (const char *)getauxval(AT_EXECFN);
	char dir[PATH_MAX];
	int n = -1;

	if (name && name[0] == '/')
		n = snprintf(path, sizeof(path), "%s", name);
	else if (name && getcwd(dir, sizeof(dir)))
		n = snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (n < 0 || (size_t)n >= sizeof(path))
		path[0] = '\0';
}

void restart_init(char *argv[])
{
	size_t n;
	int err;

	find_path();
	for (n = 0; n < EXEC_ARGS_MAX && argv[n]; n++) /* a parser of flags changes their order */
		words[n] = argv[n];
	if (argv[n])
		path[0] = '\0';
	err = hand_take(&hand);
	handed = err > 0 && !will_read(&will, &hand);
	if (!err || handed)
		return;
	log_err("what the controller before has left cannot be read: %s; starting afresh",
		err < 0 ? strerror(-err) : "it is not complete");
	_exit(GUARDIAN_AGAIN); /* the guardian hands over for it, and starts another */
}

struct hand *restart_hand(void)
{
	return handed ? &hand : NULL;
}

void restart_taken(void)
{
	will_drop(&will);
	hand_free(&hand);
	handed = false;
}

bool restart_give_up(void)
{
	if (!handed)
		return false;
	log_warn("handing over to the other routers: what the controller before has left cannot be taken over");
	will_carry_out(&will);
	restart_taken();
	return true;
}

const char *restart_path(void)
{
	return path;
}

int restart_ask(struct exec *x, exec_done_fn done, void *arg)
{
	char *argv[EXEC_ARGS_MAX + 1] = { path, (char[]){ "can-adopt" }, (char *)hand_version() };
	const struct exec_cmd cmd = { .argv = argv, .uid = geteuid(), .gid = getegid() };
	size_t n = 3, i;

	if (!path[0])
		return -ENAMETOOLONG;
	for (i = 1; words[i] && n < EXEC_ARGS_MAX; i++)
		argv[n++] = words[i];
	return words[i] ? -E2BIG : exec_start(x, &cmd, ASK_NS, done, arg, NULL);
}

/* The environment and @more. NULL: out of memory. */
static char **env_with(char *more)
{
	size_t n = 0;
	char **env;

	while (environ && environ[n])
		n++;
	env = calloc(n + 2, sizeof(*env));
	if (!env)
		return NULL;
	if (n)
		memcpy(env, environ, n * sizeof(*env));
	env[n] = more;
	return env;
}

int restart_exec(struct hand *h)
{
	char word[HAND_ENV_LEN] = "";
	int fd, err;
	char **env;

	if (!h) {
		execve(path, words, environ);
		return -errno;
	}
	err = hand_offer(h, &fd, word);
	if (err)
		return err;
	env = env_with(word);
	err = -ENOMEM;
	if (env) {
		execve(path, words, env);
		err = -errno;
	}
	free(env);
	hand_withdraw(h, fd);
	return err;
}

void restart_rehearse(void)
{
	rehearsing = true;
}

bool restart_rehearsing(void)
{
	return rehearsing;
}

void restart_again(const char *oom)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC), err;

	if (fd >= 0 && write(fd, oom, strlen(oom)) < 0)
		log_debug("the next one cannot be chosen when memory runs out: %s", strerror(errno));
	sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){ 0 });
	err = restart_exec(NULL);
	log_err("%s: cannot be run: %s; start it", restart_path(), strerror(-err));
}
