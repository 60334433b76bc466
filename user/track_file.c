// SPDX-License-Identifier: GPL-2.0-or-later
/* track_file: a number in a file. Its folder is watched, not the file, so that a file that is replaced by a rename stays watched. */
#include "track.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "track_int.h"

#define RETRY_NS 1000000000ULL /* a folder that cannot be watched is looked at so often */

#define FOLDER_EVENTS                                                                                                  \
	(IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF |           \
	 IN_MOVE_SELF | IN_ONLYDIR)

enum { VALUE_LEN = 128, EVENTS_LEN = 4096 };

/* What an empty file means. */
enum empty { EMPTY_IS_ZERO, EMPTY_IS_BEING_WRITTEN };

struct file {
	const struct conf_file *conf;
	size_t item;
	char *dir;
	const char *base; /* in conf's path */
	int wd;           /* -1: not watched */
	int value;
	bool started;
	bool said; /* that it cannot be watched */
};

struct track_files {
	struct track *t;
	struct file **files; /* one per conf->track_files; NULL: nothing tracks it */
	size_t n;
	struct loop_io io; /* inotify; fd -1: none */
	struct timer retry;
	bool has_room; /* for @retry */
};

/* C-style integer text, junk behind it is left; what does not begin with a number is 0 (spec 4.1). */
static int parse_value(const char *text)
{
	long v = strtol(text, NULL, 0);

	return v > INT_MAX ? INT_MAX : v < -INT_MAX ? -INT_MAX : (int)v;
}

/* Never blocks: a FIFO without a writer, a terminal and the like are no track files. Missing and unreadable is 0. */
static int read_value(const char *path, bool *empty)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	char text[VALUE_LEN];
	struct stat st;
	ssize_t n = -1;

	*empty = false;
	if (fd < 0)
		return 0;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		n = read(fd, text, sizeof(text) - 1);
	close(fd);
	*empty = n == 0;
	if (n <= 0)
		return 0;
	text[n] = '\0';
	return parse_value(text);
}

static void update(struct track_files *fs, struct file *f, enum empty meaning)
{
	bool empty;
	int v = read_value(f->conf->path, &empty);

	if (v == f->value || (empty && meaning == EMPTY_IS_BEING_WRITTEN))
		return;
	if (f->value != TRACK_UNKNOWN)
		log_info("track_file %s: %d -> %d", f->conf->name, f->value, v);
	f->value = v;
	track_tell(fs->t, TRACK_FILE, f->item, v);
}

/* Asks for the folder's events; files of one folder share the watch. */
static void watch(struct track_files *fs, struct file *f)
{
	int err;

	if (fs->io.fd < 0)
		return;
	f->wd = inotify_add_watch(fs->io.fd, f->dir, FOLDER_EVENTS);
	err = errno;
	if (f->wd < 0 && !f->said)
		log_warn("track_file %s: cannot watch %s: %s; it is read once a second until that works, check the "
			 "path and "
			 "fs.inotify.max_user_watches",
			 f->conf->name, f->dir, strerror(err));
	f->said = f->wd < 0;
}

/* The watch is lost or cannot be had: then the file is read now and then instead. */
static void on_retry(void *arg, uint64_t now_ns)
{
	struct track_files *fs = arg;
	bool again = false;
	size_t i;

	for (i = 0; i < fs->n; i++) {
		if (!fs->files[i] || fs->files[i]->wd >= 0)
			continue;
		watch(fs, fs->files[i]);
		update(fs, fs->files[i], EMPTY_IS_ZERO);
		again |= fs->files[i]->wd < 0;
	}
	if (again)
		timer_arm(&fs->t->loop->timers, &fs->retry, now_ns + RETRY_NS);
}

/* Which files an event is about: by name, or all of a folder, or all of them when events were lost. */
static void on_folder_event(struct track_files *fs, const struct inotify_event *ev, uint64_t now_ns)
{
	bool lost = ev->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF);
	enum empty meaning = (ev->mask & (IN_CREATE | IN_MODIFY)) ? EMPTY_IS_BEING_WRITTEN : EMPTY_IS_ZERO;
	struct file *f;
	size_t i;

	if (ev->mask & IN_MOVE_SELF)
		inotify_rm_watch(fs->io.fd, ev->wd); /* it would follow the folder to its new name */
	for (i = 0; i < fs->n; i++) {
		f = fs->files[i];
		if (!f || (ev->wd != f->wd && !(ev->mask & IN_Q_OVERFLOW)))
			continue;
		if (!lost && ev->len && strcmp(ev->name, f->base))
			continue;
		if (lost) {
			f->wd = -1;
			timer_arm(&fs->t->loop->timers, &fs->retry, now_ns + RETRY_NS);
		}
		update(fs, f, meaning);
	}
}

/* One buffer per turn: a folder in which something rages must not keep the loop. */
static void on_inotify(void *arg, uint32_t events, uint64_t now_ns)
{
	char buf[EVENTS_LEN] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct track_files *fs = arg;
	const struct inotify_event *ev;
	ssize_t n = read(fs->io.fd, buf, sizeof(buf)), at;

	(void)events;
	for (at = 0; at < n; at += sizeof(*ev) + ev->len) {
		ev = (const struct inotify_event *)(buf + at);
		on_folder_event(fs, ev, now_ns);
	}
}

static void open_inotify(struct track_files *fs)
{
	int err;

	if (fs->io.fd >= 0)
		return;
	fs->io.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	err = fs->io.fd < 0 ? -errno : loop_add(fs->t->loop, &fs->io, EPOLLIN);
	if (!err)
		return;
	log_warn("cannot watch track files: %s; they are read once a second, raise fs.inotify.max_user_instances",
		 strerror(-err));
	if (fs->io.fd >= 0)
		close(fs->io.fd);
	fs->io.fd = -1;
}

/* init_file: at start only, and without `overwrite` only where there is none. No symbolic link of somebody else's is followed. */
static void init_file(const struct conf_file *c)
{
	int how = c->init_overwrite ? O_TRUNC | O_NOFOLLOW : O_EXCL;
	int fd = open(c->path, O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC | how, 0644);
	bool ok;

	if (fd < 0 && errno == EEXIST)
		return;
	ok = fd >= 0 && dprintf(fd, "%d\n", c->init_value) > 0;
	if (!ok)
		log_err("track_file %s: cannot write init_file's %d to %s: %s; check the folder and its rights",
			c->name, c->init_value, c->path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

int track_files_new(struct track_files **out, struct track *t)
{
	struct track_files *fs = calloc(1, sizeof(*fs));

	if (!fs)
		return -ENOMEM;
	fs->t = t;
	fs->io = (struct loop_io){ .fd = -1, .prio = LOOP_OTHER, .fn = on_inotify, .arg = fs };
	fs->retry = (struct timer){ .fn = on_retry, .arg = fs };
	*out = fs;
	return 0;
}

static void file_free(struct file *f)
{
	if (!f)
		return;
	free(f->dir);
	free(f);
}

void track_files_free(struct track_files *fs)
{
	size_t i;

	if (!fs)
		return;
	for (i = 0; i < fs->n; i++)
		file_free(fs->files[i]);
	free(fs->files);
	timer_cancel(&fs->t->loop->timers, &fs->retry);
	if (fs->io.fd >= 0) {
		loop_del(fs->t->loop, &fs->io);
		close(fs->io.fd);
	}
	free(fs);
}

/* Splits the path: "/a/b" is "/a" and "b", "/b" is "/" and "b", "b" is "." and "b". */
static int split_path(struct file *f)
{
	const char *path = f->conf->path, *slash = strrchr(path, '/');

	f->base = slash ? slash + 1 : path;
	f->dir = slash > path ? strndup(path, slash - path) : strdup(slash ? "/" : ".");
	return f->dir ? 0 : -ENOMEM;
}

static struct file *file_new(const struct conf_file *conf)
{
	struct file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->conf = conf;
	f->wd = -1;
	f->value = TRACK_UNKNOWN;
	if (!split_path(f))
		return f;
	free(f);
	return NULL;
}

/* Takes the file of the same path out of the former list, or makes one. */
static struct file *take(struct track_files *fs, const struct conf_file *conf)
{
	struct file *f;
	size_t i;

	for (i = 0; i < fs->n; i++) {
		f = fs->files[i];
		if (!f || strcmp(f->conf->path, conf->path))
			continue;
		fs->files[i] = NULL;
		f->conf = conf;
		f->base = conf->path + strlen(conf->path) - strlen(f->base);
		return f;
	}
	return file_new(conf);
}

/* A folder of which no file is left needs no watch. */
static void drop(struct track_files *fs, struct file *gone, struct file **list, size_t n)
{
	while (gone->wd >= 0 && n--)
		if (list[n] && list[n]->wd == gone->wd)
			gone->wd = -1;
	if (gone->wd >= 0)
		inotify_rm_watch(fs->io.fd, gone->wd);
	file_free(gone);
}

int track_files_set(struct track_files *fs, const struct conf *conf)
{
	struct file **list = calloc(conf->ntrack_files + 1, sizeof(struct file *)), **old = fs->files;
	size_t i, nold = fs->n;
	int err = list ? 0 : -ENOMEM;

	if (!err && conf->ntrack_files && !fs->has_room)
		err = track_room(fs->t, 1);
	if (err) {
		free(list);
		return err;
	}
	fs->has_room |= conf->ntrack_files > 0;
	for (i = 0; i < conf->ntrack_files; i++) {
		if (!track_used(conf, TRACK_FILE, i))
			continue;
		list[i] = take(fs, &conf->track_files[i]);
		if (list[i])
			list[i]->item = i;
		else
			err = -ENOMEM;
	}
	for (i = 0; i < nold; i++)
		if (old[i])
			drop(fs, old[i], list, conf->ntrack_files);
	free(old);
	fs->files = list;
	fs->n = conf->ntrack_files;
	return err;
}

void track_files_start(struct track_files *fs, bool first)
{
	struct file *f;
	size_t i;

	for (i = 0; i < fs->n; i++) {
		f = fs->files[i];
		if (!f || f->started)
			continue;
		f->started = true;
		open_inotify(fs);
		if (first && f->conf->init)
			init_file(f->conf);
		watch(fs, f); /* before it is read, or a change between the two would be missed */
		update(fs, f, EMPTY_IS_ZERO);
		if (f->wd < 0)
			timer_arm(&fs->t->loop->timers, &fs->retry, loop_now_ns() + RETRY_NS);
	}
}

int track_files_value(const struct track_files *fs, size_t item)
{
	return item < fs->n && fs->files[item] ? fs->files[item]->value : TRACK_UNKNOWN;
}
