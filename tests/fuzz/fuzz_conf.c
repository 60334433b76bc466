// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bytes -> tree -> text -> tree. An input is a file; what follows a line "%%" in it is the file that every include finds. What is read without
 * an error must print to a text that is read without an error and prints the same.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const char *main, *included;
	size_t main_len, included_len;
};

static void require(bool holds, const char *what, const char *text)
{
	if (holds)
		return;
	fprintf(stderr, "%s:\n%s\n", what, text);
	abort();
}

/* The main file is "f"; every other pattern matches the included one, but for those that end with "0". */
static int read_input(void *arg, const char *pattern, conf_emit_fn emit, void *emit_arg)
{
	const struct input *in = arg;
	bool is_main = !strcmp(pattern, "f");
	size_t len = is_main ? in->main_len : in->included_len;
	char *exact;
	int err;

	if (!is_main && pattern[strlen(pattern) - 1] == '0')
		return -ENOENT;
	exact = malloc(len ? len : 1); /* no byte to spare, so that ASan sees a step over the end */
	if (!exact)
		return -ENOMEM;
	memcpy(exact, is_main ? in->main : in->included, len);
	err = emit(emit_arg, pattern, exact, len);
	free(exact);
	return err ? err : 1;
}

static const char *read_env(void *arg, const char *name)
{
	(void)arg;
	return name[0] == 'N' ? NULL : "192.0.2.50";
}

static int find_user(void *arg, const char *user, const char *group, uint32_t *uid, uint32_t *gid)
{
	(void)arg;
	*uid = *gid = 0;
	if (user && user[0] == 'n')
		return -ENOENT;
	return group && group[0] == 'n' ? -ESRCH : 0;
}

static enum conf_script_fault find_script(void *arg, const struct conf_cmd *cmd, char *why, size_t len)
{
	(void)arg;
	snprintf(why, len, "fault");
	return (enum conf_script_fault)(strlen(cmd->argv[0]) % 4);
}

static int find_iface(void *arg, const char *ifname, void (*addr)(void *a, const struct conf_addr *x, uint8_t plen),
		      void *a)
{
	static const struct conf_addr v4 = { 4, { 192, 0, 2, 1 } }, v6 = { 6, { 0xfe, 0x80, [15] = 1 } };

	(void)arg;
	if (ifname[0] == 'n')
		return -ENODEV;
	addr(a, &v4, 24);
	addr(a, &v6, 64);
	return 0;
}

static void on_msg(void *arg, enum conf_severity sev, const struct conf_at *at, const char *text)
{
	size_t *n = arg;

	require(at->file && at->line >= 0 && at->col >= 0, "message from nowhere", text);
	require(text[0], "empty message", "");
	n[sev]++;
}

/* With @ask, on a machine that lacks some things; else nothing is asked. */
static char *load(const struct input *in, bool ask, int *errors)
{
	struct conf_io io = { .read = read_input, .env = read_env, .config_id = "node1", .arg = (void *)(uintptr_t)in };
	size_t n[2] = { 0 };
	char *text = NULL;
	struct conf c;

	if (ask) {
		io.user = find_user;
		io.script = find_script;
		io.iface = find_iface;
		io.host_name = "host";
	}
	conf_init(&c);
	*errors = conf_load(&c, "f", &io, on_msg, n);
	require(*errors < 0 || (size_t)*errors == n[CONF_ERROR], "wrong number of errors", "");
	require(n[CONF_ERROR] <= 101 && n[CONF_WARN] <= 1001, "too many messages", "");
	if (!*errors) {
		text = conf_print(&c);
		require(text, "out of memory", "");
		conf_lint(&c, &io, on_msg, n);
	}
	conf_free(&c);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data, *cut = memmem(data, size, "%%\n", 3);
	struct input in = { .main = bytes, .main_len = cut ? (size_t)(cut - bytes) : size, .included = "" };
	struct input printed = { .included = "" };
	char *text, *again;
	int errors;

	if (cut) {
		in.included = cut + 3;
		in.included_len = size - in.main_len - 3;
	}
	text = load(&in, true, &errors);
	if (!text)
		return 0;
	printed.main = text;
	printed.main_len = strlen(text);
	again = load(&printed, false, &errors);
	require(!errors, "what is printed is refused", text);
	if (strcmp(text, again) != 0)
		fprintf(stderr, "%s\n\nbecomes\n\n", text);
	require(!strcmp(text, again), "what is printed is read as something else", again);
	free(text);
	free(again);
	return 0;
}
