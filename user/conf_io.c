// SPDX-License-Identifier: GPL-2.0-or-later
#include "conf_io.h"

#include <errno.h>
#include <glob.h>
#include <grp.h>
#include <ifaddrs.h>
#include <limits.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MAX_FILE = 64 << 20,
	MAX_LINKS = 40, /* as the kernel follows */
};

/* ---- files ---- */

static int read_file(const char *path, conf_emit_fn emit, void *emit_arg)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	char *bytes = NULL;
	size_t len;
	int err = 0;

	if (!f)
		return -errno;
	if (fstat(fileno(f), &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = -EINVAL;
	else if (st.st_size > MAX_FILE)
		err = -EFBIG;
	if (!err) {
		bytes = malloc((size_t)st.st_size + 1);
		len = bytes ? fread(bytes, 1, (size_t)st.st_size, f) : 0;
		err = !bytes ? -ENOMEM : ferror(f) ? -EIO : emit(emit_arg, path, bytes, len);
	}
	free(bytes);
	fclose(f);
	return err;
}

/* keepalived skips what is not a plain file or may be executed: an editor's leavings and scripts. */
static bool includable(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode) && !(st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH));
}

static int read_pattern(void *arg, const char *pattern, conf_emit_fn emit, void *emit_arg)
{
	int n = 0, err = 0;
	glob_t g;

	(void)arg;
	if (!strpbrk(pattern, "*?[{")) {
		err = read_file(pattern, emit, emit_arg);
		return err ? err : 1;
	}
	if (glob(pattern, GLOB_BRACE, NULL, &g))
		return 0;
	for (size_t i = 0; i < g.gl_pathc && !err; i++) {
		if (includable(g.gl_pathv[i])) {
			err = read_file(g.gl_pathv[i], emit, emit_arg);
			n++;
		}
	}
	globfree(&g);
	return err ? err : n;
}

static const char *read_env(void *arg, const char *name)
{
	(void)arg;
	return getenv(name);
}

/* ---- users ---- */

static int find_user(void *arg, const char *user, const char *group, uint32_t *uid, uint32_t *gid)
{
	const struct passwd *pw = getpwnam(user ? user : "keepalived_script");
	const struct group *gr;

	(void)arg;
	if (!pw && user)
		return -ENOENT;
	*uid = pw ? pw->pw_uid : geteuid();
	*gid = pw ? pw->pw_gid : getegid();
	if (!group)
		return 0;
	gr = getgrnam(group);
	if (!gr)
		return -ESRCH;
	*gid = gr->gr_gid;
	return 0;
}

/* ---- scripts ---- */

/* A way through the file system, one component after the other, with every link on it. */
struct walk {
	char done[PATH_MAX]; /* without links; "" is / */
	char rest[PATH_MAX];
	int links;
	const struct conf_cmd *cmd;
	struct stat st; /* of @done */
	enum conf_script_fault fault;
	char *why;
	size_t len;
};

static void say(struct walk *w, enum conf_script_fault fault, const char *text)
{
	if (w->fault != CONF_SCRIPT_OK && w->fault != CONF_SCRIPT_INSECURE)
		return;
	w->fault = fault;
	snprintf(w->why, w->len, "%s %s", w->done[0] ? w->done : "/", text);
}

/* May the command's user execute it, or search it if it is a directory? */
static bool may_execute(const struct stat *st, const struct conf_cmd *cmd)
{
	if (cmd->uid == 0)
		return S_ISDIR(st->st_mode) || st->st_mode & (S_IXUSR | S_IXGRP | S_IXOTH);
	if (st->st_uid == cmd->uid)
		return st->st_mode & S_IXUSR;
	return st->st_mode & (st->st_gid == cmd->gid ? S_IXGRP : S_IXOTH);
}

/* Root runs only what nobody else can change or put something else in its place. In a sticky directory, nobody can. */
static void check_owner(struct walk *w)
{
	const struct stat *st = &w->st;

	if (w->cmd->uid != 0 || w->fault != CONF_SCRIPT_OK)
		return;
	if (st->st_uid != 0)
		say(w, CONF_SCRIPT_INSECURE, "does not belong to root; chown it");
	else if (S_ISLNK(st->st_mode) || (S_ISDIR(st->st_mode) && st->st_mode & S_ISVTX))
		return;
	else if (st->st_mode & S_IWOTH)
		say(w, CONF_SCRIPT_INSECURE, "can be written by everybody; chmod o-w it");
	else if (st->st_mode & S_IWGRP && st->st_gid != 0)
		say(w, CONF_SCRIPT_INSECURE, "can be written by a group that is not root's; chmod g-w it");
}

/* The target of the link at @done comes in front of what is left. */
static bool follow(struct walk *w)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t n = readlink(w->done, target, sizeof(target) - 1);

	if (n <= 0 || ++w->links > MAX_LINKS)
		return false;
	target[n] = '\0';
	if ((size_t)snprintf(rest, sizeof(rest), "%s/%s", target, w->rest) >= sizeof(rest))
		return false;
	memcpy(w->rest, rest, sizeof(rest));
	if (target[0] == '/')
		w->done[0] = '\0';
	else
		*strrchr(w->done, '/') = '\0';
	return true;
}

/* Takes the next component into @done. False: a dead end, said. */
static bool step(struct walk *w)
{
	size_t at = strlen(w->done), skip = strspn(w->rest, "/"), n = strcspn(w->rest + skip, "/");
	char name[NAME_MAX + 1];

	if (n > NAME_MAX || at + n + 2 > sizeof(w->done)) {
		say(w, CONF_SCRIPT_MISSING, "is not the way to it: a name is too long");
		return false;
	}
	memcpy(name, w->rest + skip, n);
	name[n] = '\0';
	memmove(w->rest, w->rest + skip + n, strlen(w->rest + skip + n) + 1);
	if (!n || !strcmp(name, "."))
		return true;
	if (!strcmp(name, "..")) {
		if (at)
			*strrchr(w->done, '/') = '\0';
		return true;
	}
	snprintf(w->done + at, sizeof(w->done) - at, "/%s", name);
	if (lstat(w->done, &w->st)) {
		say(w, CONF_SCRIPT_MISSING, errno == ENOENT ? "does not exist" : "cannot be reached");
		return false;
	}
	check_owner(w);
	if (S_ISLNK(w->st.st_mode) && !follow(w)) {
		say(w, CONF_SCRIPT_MISSING, "is a link that leads nowhere");
		return false;
	}
	if (S_ISDIR(w->st.st_mode) && !may_execute(&w->st, w->cmd)) {
		say(w, CONF_SCRIPT_MISSING, "is closed to the user who runs the command");
		return false;
	}
	return true;
}

static enum conf_script_fault check_path(const struct conf_cmd *cmd, const char *path, char *why, size_t len)
{
	struct walk w = { .cmd = cmd, .why = why, .len = len };

	if (path[0] != '/' && !getcwd(w.rest, sizeof(w.rest) - 1))
		w.rest[0] = '\0';
	snprintf(w.rest + strlen(w.rest), sizeof(w.rest) - strlen(w.rest), "/%s", path);
	if (!stat("/", &w.st))
		check_owner(&w);
	while (w.rest[strspn(w.rest, "/")])
		if (!step(&w))
			return w.fault;
	if (lstat(w.done[0] ? w.done : "/", &w.st))
		say(&w, CONF_SCRIPT_MISSING, "does not exist");
	else if (!S_ISREG(w.st.st_mode))
		say(&w, CONF_SCRIPT_NOT_EXECUTABLE, "is not a file");
	else if (!may_execute(&w.st, cmd))
		say(&w, CONF_SCRIPT_NOT_EXECUTABLE, "is not executable for the user who runs it; chmod +x it");
	return w.fault;
}

/* A name without a slash is looked for as execvp() does. */
static enum conf_script_fault check_script(void *arg, const struct conf_cmd *cmd, char *why, size_t len)
{
	const char *dirs = getenv("PATH"), *name = cmd->argv[0];
	char path[PATH_MAX];
	enum conf_script_fault fault;

	(void)arg;
	if (strchr(name, '/'))
		return check_path(cmd, name, why, len);
	if (!dirs)
		dirs = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	while (*dirs) {
		size_t n = strcspn(dirs, ":");

		if (n) {
			snprintf(path, sizeof(path), "%.*s/%s", (int)n, dirs, name);
			fault = check_path(cmd, path, why, len);
			if (fault == CONF_SCRIPT_OK || fault == CONF_SCRIPT_INSECURE)
				return fault;
		}
		dirs += n + (dirs[n] == ':');
	}
	snprintf(why, len, "%.80s is in no directory of PATH; write its full path", name);
	return CONF_SCRIPT_MISSING;
}

/* ---- names of iproute2 ---- */

static bool find_in_file(const char *path, const char *name, uint32_t *out)
{
	FILE *f = fopen(path, "re");
	char line[256], word[64], *end;
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f)) {
		unsigned long id = strtoul(line, &end, 0);

		found = end > line && sscanf(end, " %63s", word) == 1 && !strcmp(word, name);
		if (found)
			*out = (uint32_t)id;
	}
	if (f)
		fclose(f);
	return found;
}

static int find_name(void *arg, enum conf_names kind, const char *name, uint32_t *out)
{
	static const char *const dirs[] = { "/etc/iproute2", "/usr/share/iproute2", "/usr/lib/iproute2" };
	static const char *const files[] = {
		[CONF_NAMES_TABLES] = "rt_tables",    [CONF_NAMES_PROTOS] = "rt_protos",
		[CONF_NAMES_SCOPES] = "rt_scopes",    [CONF_NAMES_REALMS] = "rt_realms",
		[CONF_NAMES_DSFIELDS] = "rt_dsfield", [CONF_NAMES_GROUPS] = "group",
	};
	bool found = false;
	char path[128];
	glob_t g;

	(void)arg;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]) && !found; i++) {
		snprintf(path, sizeof(path), "%s/%s", dirs[i], files[kind]);
		found = find_in_file(path, name, out);
		snprintf(path, sizeof(path), "%s/%s.d/*.conf", dirs[i], files[kind]);
		if (found || glob(path, 0, NULL, &g))
			continue;
		for (size_t j = 0; j < g.gl_pathc && !found; j++)
			found = find_in_file(g.gl_pathv[j], name, out);
		globfree(&g);
	}
	return found ? 0 : -ENOENT;
}

/* ---- interfaces ---- */

static struct ifaddrs *ifaddrs; /* read at the first question after conf_io_init(): a file may ask a thousand times */

/* Addresses with a label go by that, "eth0:1"; every interface is there with its link address too. */
static bool is_of(const struct ifaddrs *ifa, const char *ifname)
{
	size_t n = strlen(ifname);

	return !strncmp(ifa->ifa_name, ifname, n) && (!ifa->ifa_name[n] || ifa->ifa_name[n] == ':');
}

static uint8_t prefix_len(const struct sockaddr *mask)
{
	const struct sockaddr_in *v4 = (const void *)mask;
	const struct sockaddr_in6 *v6 = (const void *)mask;
	const uint8_t *b = mask->sa_family == AF_INET ? (const void *)&v4->sin_addr : (const void *)&v6->sin6_addr;
	unsigned int max = mask->sa_family == AF_INET ? 32 : 128, n = 0;

	while (n < max && b[n / 8] & 0x80 >> n % 8)
		n++;
	return (uint8_t)n;
}

static void tell_addr(const struct ifaddrs *ifa, void (*addr)(void *a, const struct conf_addr *x, uint8_t plen),
		      void *a)
{
	const struct sockaddr_in *v4 = (const void *)ifa->ifa_addr;
	const struct sockaddr_in6 *v6 = (const void *)ifa->ifa_addr;
	struct conf_addr x = { 0 };

	if (ifa->ifa_addr->sa_family == AF_INET) {
		x.family = 4;
		memcpy(x.b, &v4->sin_addr, 4);
	} else if (ifa->ifa_addr->sa_family == AF_INET6) {
		x.family = 6;
		memcpy(x.b, &v6->sin6_addr, 16);
	}
	if (x.family && ifa->ifa_netmask && addr)
		addr(a, &x, prefix_len(ifa->ifa_netmask));
}

static int find_iface(void *arg, const char *ifname, void (*addr)(void *a, const struct conf_addr *x, uint8_t plen),
		      void *a)
{
	bool found = false;

	(void)arg;
	if (!ifaddrs && getifaddrs(&ifaddrs))
		return -errno;
	for (const struct ifaddrs *ifa = ifaddrs; ifa; ifa = ifa->ifa_next) {
		if (!is_of(ifa, ifname))
			continue;
		found = true;
		if (ifa->ifa_addr)
			tell_addr(ifa, addr, a);
	}
	return found ? 0 : -ENODEV;
}

void conf_io_init(struct conf_io *io, const char *config_id)
{
	static char host[HOST_NAME_MAX + 1], id[HOST_NAME_MAX + 1];

	freeifaddrs(ifaddrs);
	ifaddrs = NULL;
	if (gethostname(host, sizeof(host) - 1))
		host[0] = '\0';
	snprintf(id, sizeof(id), "%s", config_id ? config_id : host);
	if (!config_id)
		id[strcspn(id, ".")] = '\0';
	*io = (struct conf_io){
		.read = read_pattern,
		.env = read_env,
		.user = find_user,
		.script = check_script,
		.name = find_name,
		.iface = find_iface,
		.config_id = id,
		.host_name = host,
	};
}
