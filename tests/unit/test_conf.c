// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conf_*.c: golden files, and what a golden file cannot show: limits, hostile input, the flags of `attach`.
 *
 * tests/conf/NAME.conf goes in; NAME.ok holds the messages, then what conf_print() writes if there was no error.
 * GOLDEN_UPDATE=1 rewrites the NAME.ok files: read the diff before you commit it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conf.h"

static const char *golden_dir = "tests/conf";

/* ---- helpers ---- */

struct text {
	char *s;
	size_t len, cap;
};

static void text_add(struct text *t, const char *s, size_t n)
{
	if (t->len + n + 1 > t->cap) {
		t->cap = (t->len + n + 1) * 2;
		t->s = realloc(t->s, t->cap);
		assert_non_null(t->s);
	}
	memcpy(t->s + t->len, s, n);
	t->len += n;
	t->s[t->len] = '\0';
}

static void text_str(struct text *t, const char *s)
{
	text_add(t, s, strlen(s));
}

static struct text slurp(const char *path)
{
	struct text t = { 0 };
	char buf[65536];
	FILE *f = fopen(path, "r");
	size_t n;

	if (!f)
		return t;
	text_str(&t, "");
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		text_add(&t, buf, n);
	fclose(f);
	return t;
}

/* A file in memory. */
struct mem_file {
	const char *path;
	const char *bytes;
	size_t len; /* 0: strlen() */
};

/* One run of the parser and all that came out of it. */
struct run {
	struct conf conf;
	int rc;
	struct text msgs; /* file:line:col: severity: text */
	int warnings, errors;
	const struct mem_file *files;
	size_t nfiles;
};

static void on_msg(void *arg, enum conf_severity sev, const struct conf_at *at, const char *text)
{
	const char *slash = strrchr(at->file, '/');
	struct run *r = arg;
	char where[256];

	assert_true(strncmp(text, "error", 5) != 0);
	snprintf(where, sizeof(where), "%s:%d:%d: %s: ", slash ? slash + 1 : at->file, at->line, at->col,
		 sev == CONF_ERROR ? "error" : "warning");
	text_str(&r->msgs, where);
	text_str(&r->msgs, text);
	text_str(&r->msgs, "\n");
	if (sev == CONF_ERROR)
		r->errors++;
	else
		r->warnings++;
}

static int disk_read(void *arg, const char *pattern, conf_emit_fn emit, void *emit_arg)
{
	glob_t g;
	int n = 0, err = 0;

	(void)arg;
	if (glob(pattern, GLOB_BRACE, NULL, &g))
		return -ENOENT;
	for (size_t i = 0; i < g.gl_pathc && !err; i++) {
		struct text t = slurp(g.gl_pathv[i]);

		err = t.s ? emit(emit_arg, g.gl_pathv[i], t.s, t.len) : -EACCES;
		free(t.s);
		n++;
	}
	globfree(&g);
	return err ? err : n;
}

/* Exact names only; what a test needs of wildcards is in the golden files. The copy has no byte to spare, so that the
 * address sanitizer sees every step over the end. */
static int mem_read(void *arg, const char *pattern, conf_emit_fn emit, void *emit_arg)
{
	const struct run *r = arg;

	for (size_t i = 0; i < r->nfiles; i++) {
		const struct mem_file *f = &r->files[i];
		size_t len = f->len ? f->len : strlen(f->bytes);
		char *bytes;
		int err;

		if (strcmp(f->path, pattern) != 0)
			continue;
		bytes = malloc(len ? len : 1);
		assert_non_null(bytes);
		memcpy(bytes, f->bytes, len);
		err = emit(emit_arg, f->path, bytes, len);
		free(bytes);
		return err ? err : 1;
	}
	return -ENOENT;
}

static const char *env(void *arg, const char *name)
{
	(void)arg;
	if (!strcmp(name, "VIP"))
		return "192.0.2.50";
	return strcmp(name, "TWO_LINES") ? NULL : "a\nb";
}

/*
 * A machine that is always the same: root, nobody and a group adm; programs under /usr and /bin, of which /usr/bin/plain is not executable
 * and /usr/bin/loose is writable for all; every interface but eth9 and what starts with "none".
 */
static int fake_user(void *arg, const char *user, const char *group, uint32_t *uid, uint32_t *gid)
{
	(void)arg;
	if (!user || !strcmp(user, "root"))
		*uid = *gid = 0;
	else if (!strcmp(user, "nobody"))
		*uid = *gid = 65534;
	else
		return -ENOENT;
	if (!group)
		return 0;
	*gid = 4;
	return strcmp(group, "adm") != 0 ? -ESRCH : 0;
}

static enum conf_script_fault fake_script(void *arg, const struct conf_cmd *cmd, char *why, size_t len)
{
	const char *path = cmd->argv[0];

	(void)arg;
	if (!strcmp(path, "/usr/bin/plain")) {
		snprintf(why, len, "%s is not executable", path);
		return CONF_SCRIPT_NOT_EXECUTABLE;
	}
	if (!strcmp(path, "/usr/bin/loose")) {
		snprintf(why, len, "everybody may write to %s", path);
		return CONF_SCRIPT_INSECURE;
	}
	if (!strncmp(path, "/usr/", 5) || !strncmp(path, "/bin/", 5) || !strncmp(path, "/etc/", 5))
		return CONF_SCRIPT_OK;
	snprintf(why, len, "%s does not exist", path);
	return CONF_SCRIPT_MISSING;
}

static int fake_iface(void *arg, const char *ifname, void (*addr)(void *a, const struct conf_addr *x, uint8_t plen),
		      void *a)
{
	static const struct conf_addr v4 = { 4, { 192, 0, 2, 1 } }, v6 = { 6, { 0x20, 1, 0xd, 0xb8, [15] = 1 } };

	(void)arg;
	if (!strcmp(ifname, "eth9") || !strncmp(ifname, "none", 4))
		return -ENODEV;
	if (strcmp(ifname, "eth0") != 0)
		return 0;
	addr(a, &v4, 24);
	addr(a, &v6, 64);
	return 0;
}

static const struct conf_io fake_machine = {
	.env = env,
	.user = fake_user,
	.script = fake_script,
	.iface = fake_iface,
	.config_id = "node1",
	.host_name = "node1.example",
};

static void run_files(struct run *r, const struct mem_file *files, size_t n)
{
	struct conf_io io = fake_machine;

	io.read = mem_read;
	io.arg = r;
	memset(r, 0, sizeof(*r));
	text_str(&r->msgs, "");
	r->files = files;
	r->nfiles = n;
	conf_init(&r->conf);
	r->rc = conf_load(&r->conf, files[0].path, &io, on_msg, r);
	if (r->rc >= 0)
		assert_int_equal(r->rc, r->errors);
}

static void run_bytes(struct run *r, const char *bytes, size_t len)
{
	const struct mem_file f = { "t.conf", bytes, len };

	run_files(r, &f, 1);
}

static void run_text(struct run *r, const char *text)
{
	run_bytes(r, text, strlen(text));
}

static void run_end(struct run *r)
{
	conf_free(&r->conf);
	free(r->msgs.s);
}

/* An instance with @body; what is not under test is good. */
static void run_instance(struct run *r, const char *body)
{
	struct text t = { 0 };

	text_str(&t, "vrrp_instance V {\ninterface eth0\nvirtual_router_id 51\n");
	text_str(&t, body);
	text_str(&t, "\n}\n");
	run_text(r, t.s);
	free(t.s);
}

static void assert_silent(const struct run *r)
{
	if (r->msgs.len)
		fail_msg("unexpected: %s", r->msgs.s);
	assert_int_equal(r->rc, 0);
}

static void assert_says(const struct run *r, const char *words)
{
	if (!strstr(r->msgs.s, words))
		fail_msg("\"%s\" is missing in: %s", words, r->msgs.s);
}

/* Exactly one message, an error with these words. */
static void assert_one_error(const struct run *r, const char *words)
{
	assert_says(r, words);
	if (r->errors != 1 || r->warnings)
		fail_msg("more than one message: %s", r->msgs.s);
}

static void assert_one_warning(const struct run *r, const char *words)
{
	assert_says(r, words);
	if (r->errors || r->warnings != 1)
		fail_msg("more than one message: %s", r->msgs.s);
}

/* Exactly the message @said, or none. */
static void assert_one(const struct run *r, const char *said)
{
	if (!said[0])
		assert_silent(r);
	else if (strstr(said, ": error: "))
		assert_one_error(r, said);
	else
		assert_one_warning(r, said);
}

static void assert_addr(const struct conf_addr *a, const char *want)
{
	char buf[46];

	assert_string_equal(conf_addr_str(a, buf, sizeof(buf)), want);
}

static void assert_same_vr(const struct conf_vr *a, const struct conf_vr *b)
{
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->ifname, b->ifname);
	assert_int_equal(a->vlan, b->vlan);
	assert_int_equal(a->vrid, b->vrid);
	assert_int_equal(a->family, b->family);
	assert_int_equal(a->version, b->version);
	assert_int_equal(a->priority, b->priority);
	assert_int_equal(a->adver_ns, b->adver_ns);
	assert_int_equal(a->handover_ns, b->handover_ns);
	assert_int_equal(a->max_adver_ns, b->max_adver_ns);
	assert_int_equal(a->link_settle_ns, b->link_settle_ns);
	assert_int_equal(a->preempt, b->preempt);
	assert_int_equal(a->auth_pass_set, b->auth_pass_set);
	assert_memory_equal(a->auth_pass, b->auth_pass, CONF_AUTH_LEN);
	assert_memory_equal(&a->src, &b->src, sizeof(a->src));
	assert_int_equal(a->unicast, b->unicast);
	assert_int_equal(a->csum, b->csum);
	assert_int_equal(a->nvips, b->nvips);
	for (size_t i = 0; i < a->nvips; i++) {
		assert_memory_equal(&a->vips[i].addr, &b->vips[i].addr, sizeof(a->vips[i].addr));
		assert_int_equal(a->vips[i].plen, b->vips[i].plen);
	}
	assert_int_equal(a->npeers, b->npeers);
	for (size_t i = 0; i < a->npeers; i++)
		assert_memory_equal(&a->peers[i].addr, &b->peers[i].addr, sizeof(a->peers[i].addr));
	assert_int_equal(a->nallowed, b->nallowed);
	for (size_t i = 0; i < a->nallowed; i++)
		assert_memory_equal(&a->allowed[i].addr, &b->allowed[i].addr, sizeof(a->allowed[i].addr));
}

/* What is printed may be read on a machine that has everything. */
static void run_printed(struct run *r, const char *text)
{
	const struct mem_file f = { "t.conf", text, 0 };
	struct conf_io io = { .read = mem_read, .env = env, .arg = r };

	memset(r, 0, sizeof(*r));
	text_str(&r->msgs, "");
	r->files = &f;
	r->nfiles = 1;
	conf_init(&r->conf);
	r->rc = conf_load(&r->conf, f.path, &io, on_msg, r);
	r->files = NULL;
}

/* What conf_print() writes is read back to the same tree and printed the same again. */
static void assert_prints_to_itself(const struct conf *c)
{
	char *text = conf_print(c), *again;
	struct run r;

	assert_non_null(text);
	run_printed(&r, text);
	if (r.errors)
		fail_msg("printed configuration is refused: %s%s", r.msgs.s, text);
	assert_int_equal(c->nvrs, r.conf.nvrs);
	assert_int_equal(c->globals.rt_priority, r.conf.globals.rt_priority);
	for (size_t i = 0; i < c->nvrs; i++)
		assert_same_vr(&c->vrs[i], &r.conf.vrs[i]);
	again = conf_print(&r.conf);
	assert_string_equal(text, again);
	free(text);
	free(again);
	run_end(&r);
}

/* ---- golden files ---- */

static void golden(void **state)
{
	struct conf_io io = fake_machine;
	const char *path = *state;
	struct run r = { 0 };
	struct text want;
	char ok[4096];

	io.read = disk_read;
	text_str(&r.msgs, "");
	conf_init(&r.conf);
	r.rc = conf_load(&r.conf, path, &io, on_msg, &r);
	assert_int_equal(r.rc, r.errors);
	if (!r.errors) {
		char *printed = conf_print(&r.conf);

		assert_prints_to_itself(&r.conf);
		text_str(&r.msgs, printed);
		free(printed);
	}
	snprintf(ok, sizeof(ok), "%.*s.ok", (int)(strlen(path) - strlen(".conf")), path);
	if (getenv("GOLDEN_UPDATE")) {
		FILE *f = fopen(ok, "w");

		assert_non_null(f);
		fputs(r.msgs.s, f);
		fclose(f);
	}
	want = slurp(ok);
	if (!want.s)
		fail_msg("%s does not exist; GOLDEN_UPDATE=1 writes it", ok);
	assert_string_equal(r.msgs.s, want.s);
	free(want.s);
	run_end(&r);
}

static int run_golden(void)
{
	struct CMUnitTest *tests;
	char pattern[4096];
	glob_t g;
	int failed;

	snprintf(pattern, sizeof(pattern), "%s/*.conf", golden_dir);
	if (glob(pattern, 0, NULL, &g)) {
		fprintf(stderr, "%s holds no golden files\n", golden_dir);
		return 1;
	}
	tests = calloc(g.gl_pathc, sizeof(*tests));
	if (!tests)
		return 1;
	for (size_t i = 0; i < g.gl_pathc; i++)
		tests[i] = (struct CMUnitTest){
			.name = strrchr(g.gl_pathv[i], '/') + 1,
			.test_func = golden,
			.initial_state = g.gl_pathv[i],
		};
	failed = _cmocka_run_group_tests("golden", tests, g.gl_pathc, NULL, NULL);
	free(tests);
	globfree(&g);
	return failed;
}

/* ---- lexer ---- */

static void comment_sign_inside_word_ends_the_line(void **state)
{
	struct run r;

	(void)state;
	run_instance(&r, "authentication {\nauth_type PASS\nauth_pass p#ss\n}\nvirtual_ipaddress { 192.0.2.1/24!x\n}");
	assert_silent(&r);
	assert_string_equal((char *)r.conf.vrs[0].auth_pass, "p");
	assert_int_equal(r.conf.vrs[0].vips[0].plen, 24);
	run_end(&r);
}

static void double_quotes_protect_comment_signs_and_braces(void **state)
{
	struct run r;

	(void)state;
	run_text(&r, "vrrp_instance \"a {b} #1!\" { interface eth0\nvirtual_router_id 1\n"
		     "virtual_ipaddress { 192.0.2.1 } }");
	assert_silent(&r);
	assert_string_equal(r.conf.vrs[0].name, "a {b} #1!");
	assert_prints_to_itself(&r.conf);
	run_end(&r);
}

static void braces_may_stand_anywhere(void **state)
{
	struct run r;

	(void)state;
	run_text(&r, "vrrp_instance V\n{\ninterface eth0 } vrrp_instance W{interface eth1\nvirtual_router_id 2\n"
		     "virtual_ipaddress{\n192.0.2.1 } }");
	assert_int_equal(r.conf.nvrs, 2);
	assert_string_equal(r.conf.vrs[0].ifname, "eth0");
	assert_string_equal(r.conf.vrs[1].ifname, "eth1");
	run_end(&r);
}

static void quote_in_mid_word_starts_a_new_word(void **state)
{
	struct run r;

	(void)state;
	run_instance(&r, "priority 10\"0\"\nvirtual_ipaddress { 192.0.2.1 }");
	assert_one_warning(&r, "\"0\" after \"priority\" is one word too many");
	assert_int_equal(r.conf.vrs[0].priority, 10);
	run_end(&r);
}

static void carriage_returns_and_byte_order_mark_are_dropped(void **state)
{
	struct run r;

	(void)state;
	run_text(&r, "\xef\xbb\xbfvrrp_instance V {\r\ninterface eth0\r\nvirtual_router_id 5\r\n"
		     "virtual_ipaddress {\r\n192.0.2.1\r\n}\r\n}\r\n");
	assert_silent(&r);
	assert_string_equal(r.conf.vrs[0].ifname, "eth0");
	run_end(&r);
}

static void unclosed_quote_is_one_warning_and_keeps_the_brace(void **state)
{
	struct run r;

	(void)state;
	run_text(&r, "vrrp_instance \"V {\ninterface eth0\nvirtual_router_id 5\nvirtual_ipaddress { 192.0.2.1 }\n}\n");
	assert_one_warning(&r, "t.conf:1:15: warning: a quote after vrrp_instance is not closed");
	run_end(&r);
}

static void definition_is_expanded_when_used_and_recursively(void **state)
{
	struct run r;

	(void)state;
	run_instance(&r, "$NET=192.0.${SUB}\n$SUB=2\n$P=  90 \npriority $P\n"
			 "virtual_ipaddress {\n${NET}.1/24\n$SUB=3\n${NET}.1/24\n}");
	assert_silent(&r);
	assert_int_equal(r.conf.vrs[0].priority, 90);
	assert_addr(&r.conf.vrs[0].vips[0].addr, "192.0.2.1");
	assert_addr(&r.conf.vrs[0].vips[1].addr, "192.0.3.1");
	run_end(&r);
}

static void undefined_reference_stays_as_it_is(void **state)
{
	struct run r;

	(void)state;
	run_text(&r, "vrrp_instance ${NO}x$y { interface eth0\nvirtual_router_id 1\nvirtual_ipaddress { 192.0.2.1 } }");
	assert_silent(&r);
	assert_string_equal(r.conf.vrs[0].name, "${NO}x$y");
	assert_prints_to_itself(&r.conf);
	run_end(&r);
}

static void multi_line_definition_makes_instances(void **state)
{
	struct run r;

	(void)state;
	run_text(&r, "$VIPS= \\\n  10.0.${N}.1/24 \\\n  10.0.${N}.2/24\n"
		     "$VI= \\\nvrrp_instance VI_${N} { \\\n interface eth0.${N} \\ \n virtual_router_id $N \\\n"
		     " @node1 priority 150 \\\n @^node1 priority 50 \\\n"
		     " virtual_ipaddress { \\\n $VIPS \\\n } \\\n}\n$N=1\n$VI\n$N=2\n$VI\n");
	assert_silent(&r);
	assert_int_equal(r.conf.nvrs, 2);
	assert_string_equal(r.conf.vrs[1].ifname, "eth0.2");
	assert_int_equal(r.conf.vrs[1].priority, 150);
	assert_int_equal(r.conf.vrs[1].nvips, 2);
	assert_addr(&r.conf.vrs[1].vips[1].addr, "10.0.2.2");
	run_end(&r);
}

static void empty_line_or_comment_ends_a_multi_line_definition(void **state)
{
	struct run r;

	(void)state;
	run_text(&r, "$V= \\\n 192.0.2.1 \\\n\nfoo\n$W= \\\n 192.0.2.2 \\\n # c \\\nbar\n"
		     "vrrp_instance V {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n$V\n$W\n}\n}\n");
	assert_int_equal(r.errors, 0);
	assert_int_equal(r.warnings, 2);
	assert_says(&r, "t.conf:4:1: warning: \"foo\"");
	assert_says(&r, "t.conf:8:1: warning: \"bar\"");
	assert_int_equal(r.conf.vrs[0].nvips, 2);
	run_end(&r);
}

static void condition_keeps_lines_of_this_host_only(void **state)
{
	struct run r;

	(void)state;
	run_instance(&r,
		     "@node1 priority 150\n@node2 priority 50\n@^node1 interface eth7\n@^node2 advert_int 3\n@node1\n"
		     "@node2 $X= \\\n garbage \\\n garbage\nvirtual_ipaddress { 192.0.2.1 }");
	assert_silent(&r);
	assert_int_equal(r.conf.vrs[0].priority, 150);
	assert_int_equal(r.conf.vrs[0].adver_ns, 3000000000ull);
	assert_string_equal(r.conf.vrs[0].ifname, "eth0");
	run_end(&r);
}

static void condition_can_come_out_of_a_definition(void **state)
{
	struct run r;

	(void)state;
	run_instance(&r, "$MAIN=@node1\n$OTHER=@node2\n$MAIN priority 240\n$OTHER priority 7\n"
			 "virtual_ipaddress { 192.0.2.1 }");
	assert_silent(&r);
	assert_int_equal(r.conf.vrs[0].priority, 240);
	run_end(&r);
}

static void seq_repeats_the_rest_of_the_line(void **state)
{
	struct run r;

	(void)state;
	run_instance(&r, "virtual_ipaddress {\n~SEQ(N,10,2,14) 192.0.2.${N}/24\n$M=3\n~SEQ(A, 1, $M) ~SEQ(B,2,-1,1) "
			 "10.0.${A}.${B}\n~SEQx(X,0x10,16,32) 10.1.0.${X}\n}");
	assert_silent(&r);
	assert_int_equal(r.conf.vrs[0].nvips, 11);
	assert_addr(&r.conf.vrs[0].vips[2].addr, "192.0.2.14");
	assert_addr(&r.conf.vrs[0].vips[3].addr, "10.0.1.2");
	assert_addr(&r.conf.vrs[0].vips[8].addr, "10.0.3.1");
	assert_addr(&r.conf.vrs[0].vips[10].addr, "10.1.0.20");
	run_end(&r);
}

static void lst_takes_values_and_tuples(void **state)
{
	struct run r;

	(void)state;
	run_instance(&r, "virtual_ipaddress {\n~LST({A,B},{1,2},{3,4}) 10.0.${A}.${B}/32\n"
			 "~LST(C, 7, 9) ~SEQ(D,2) 10.${C}.0.${D}\n}");
	assert_silent(&r);
	assert_int_equal(r.conf.vrs[0].nvips, 6);
	assert_addr(&r.conf.vrs[0].vips[1].addr, "10.0.3.4");
	assert_addr(&r.conf.vrs[0].vips[5].addr, "10.9.0.2");
	run_end(&r);
}

static void malformed_seq_and_lst_are_errors(void **state)
{
	static const char *const bad[] = {
		"~SEQ(N) x",
		"~SEQ(N,1,0,5) x",
		"~SEQ(N,5,1,1) x",
		"~SEQ(1N,1,2) x",
		"~SEQ(N,1,2",
		"~SEQ(N,a,b) x",
		"~LST(A) x",
		"~LST({A,B},{1}) x",
		"~LST({A,B},1,2) x",
		"~LST() x",
		"~SEQ(N,1,2,3,4) x",
		"~LST({},{}) x",
		"~SEQ(N,1,99999999999999) x",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct run r;

		run_text(&r, bad[i]);
		assert_one_error(&r, "t.conf:1:1: error: \"~");
		run_end(&r);
	}
}

static void built_in_definitions_have_values(void **state)
{
	const struct mem_file f = { "dir/t.conf",
				    "vrrp_instance \"${_PWD} ${_INSTANCE} ${_HASH}${_BANG}\" {\ninterface eth0\n"
				    "virtual_router_id ${_RANDOM 7 7}\npriority ${_RANDOM 1 255}\n"
				    "virtual_ipaddress {\n${_ENV VIP}/24\n}\n}\n",
				    0 };
	struct run r;

	(void)state;
	run_files(&r, &f, 1);
	assert_silent(&r);
	assert_string_equal(r.conf.vrs[0].name, "dir node1 #!");
	assert_int_equal(r.conf.vrs[0].vrid, 7);
	assert_addr(&r.conf.vrs[0].vips[0].addr, "192.0.2.50");
	assert_prints_to_itself(&r.conf);
	run_end(&r);
}

static void hash_built_in_starts_no_comment_without_quotes(void **state)
{
	struct run r;

	(void)state;
	run_instance(&r, "authentication {\nauth_type PASS\nauth_pass p${_HASH}s${_BANG}\n}\n"
			 "virtual_ipaddress { 192.0.2.1 }");
	assert_silent(&r);
	assert_string_equal((char *)r.conf.vrs[0].auth_pass, "p#s!");
	assert_prints_to_itself(&r.conf);
	run_end(&r);
}

static void unset_environment_variable_is_empty_with_a_warning(void **state)
{
	struct run r;

	(void)state;
	run_instance(&r, "virtual_ipaddress { 192.0.2.1 ${_ENV NONE} ${_ENV TWO_LINES}\n}");
	assert_int_equal(r.errors, 0);
	assert_int_equal(r.warnings, 2);
	assert_says(&r, "${_ENV NONE} is empty because");
	assert_says(&r, "${_ENV TWO_LINES} is empty because");
	run_end(&r);
}

static void random_numbers_are_the_same_on_every_read(void **state)
{
	static const char text[] = "vrrp_instance V${_RANDOM} { interface eth0\nvirtual_router_id 1\n"
				   "virtual_ipaddress { 192.0.2.1 } }";
	struct run a, b;

	(void)state;
	run_text(&a, text);
	run_text(&b, text);
	assert_string_equal(a.conf.vrs[0].name, b.conf.vrs[0].name);
	run_end(&a);
	run_end(&b);
}

static void include_is_relative_to_the_including_file(void **state)
{
	static const struct mem_file files[] = {
		{ "etc/a.conf", "include sub/b.conf\n", 0 },
		{ "etc/sub/b.conf", "vrrp_instance V {\ninclude \"c.conf\"\n}\n", 0 },
		{ "etc/sub/c.conf", "\ninterface eth0 # from c\nvirtual_router_id 300\nvirtual_ipaddress { 192.0.2.1 }",
		  0 },
	};
	struct run r;

	(void)state;
	run_files(&r, files, 3);
	assert_one_error(&r, "c.conf:3:19: error: virtual_router_id 300 is outside 1-255");
	assert_int_equal(r.conf.nfiles, 3);
	assert_string_equal(r.conf.vrs[0].at.file, "etc/sub/b.conf");
	assert_string_equal(r.conf.vrs[0].ifname, "eth0");
	run_end(&r);
}

static void missing_include_is_a_warning_and_a_checked_one_an_error(void **state)
{
	static const struct {
		const char *line;
		int errors, warnings;
	} t[] = {
		{ "include none.conf", 0, 1 },  { "include none/*.conf", 0, 0 },  { "includer none.conf", 0, 1 },
		{ "includem none.conf", 1, 0 }, { "includem none/*.conf", 0, 0 }, { "includew none/*.conf", 1, 0 },
		{ "includeb {t,none}", 2, 0 },  { "includea none/*.conf", 1, 0 }, { "include", 1, 0 },
		{ "included none.conf", 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct run r;

		run_text(&r, t[i].line);
		assert_int_equal(r.errors, t[i].errors);
		assert_int_equal(r.warnings, t[i].warnings);
		run_end(&r);
	}
}

static void includeb_reads_every_alternative(void **state)
{
	static const struct mem_file files[] = {
		{ "a.conf", "vrrp_instance V {\nincludeb {x,y{1,2}}.inc\n}\n", 0 },
		{ "x.inc", "interface eth0", 0 },
		{ "y1.inc", "virtual_router_id 9", 0 },
		{ "y2.inc", "virtual_ipaddress { 192.0.2.1 }", 0 },
	};
	struct run r;

	(void)state;
	run_files(&r, files, 4);
	assert_silent(&r);
	assert_int_equal(r.conf.vrs[0].vrid, 9);
	run_end(&r);
}

static void missing_main_file_is_enoent(void **state)
{
	const struct mem_file f = { "other", "", 0 };
	struct run r = { .files = &f, .nfiles = 1 };
	const struct conf_io io = { .read = mem_read, .arg = &r };
	struct conf c;

	(void)state;
	conf_init(&c);
	assert_int_equal(conf_load(&c, "none.conf", &io, on_msg, &r), -ENOENT);
	conf_free(&c);
}

static void empty_file_is_an_empty_configuration(void **state)
{
	const struct mem_file f = { "t.conf", "", 0 };
	struct run r;
	char *text;

	(void)state;
	run_files(&r, &f, 1);
	assert_silent(&r);
	assert_int_equal(r.conf.nvrs, 0);
	text = conf_print(&r.conf);
	assert_non_null(strstr(text, "router_id node1.example\n"));
	free(text);
	run_end(&r);
}

static void unknown_block_is_skipped_with_one_warning(void **state)
{
	struct run r;

	(void)state;
	run_instance(&r, "fancy_thing a b\n{\ninterface eth9\nsub { priority 3\n}\n}\nvirtual_ipaddress { 192.0.2.1 }");
	assert_one_warning(&r,
			   "t.conf:4:1: warning: \"fancy_thing\" is not a keyword here and is skipped with its block");
	assert_string_equal(r.conf.vrs[0].ifname, "eth0");
	assert_int_equal(r.conf.vrs[0].priority, 100);
	run_end(&r);
}

static void columns_are_those_of_the_physical_line(void **state)
{
	struct run r;

	(void)state;
	run_text(&r, "$W=word\n  bad1 {}  \tbad2\n\tbad3 $W\n${W} bad4\n@node1  bad5\n@node2 bad6\n~SEQ(N,1) bad7\n");
	assert_int_equal(r.errors, 0);
	assert_says(&r, "t.conf:2:3: warning: \"bad1\"");
	assert_says(&r, "t.conf:2:13: warning: \"bad2\"");
	assert_says(&r, "t.conf:3:2: warning: \"bad3\"");
	assert_says(&r, "t.conf:4:0: warning: \"word\"");
	assert_says(&r, "t.conf:5:9: warning: \"bad5\"");
	assert_says(&r, "t.conf:7:0: warning: \"bad7\"");
	assert_null(strstr(r.msgs.s, "bad6"));
	run_end(&r);
}

static void blocks_of_ipvs_are_said_once(void **state)
{
	struct run r;

	(void)state;
	run_text(&r, "global_defs {\nlvs_flush\nchecker_priority 3\n}\nvirtual_server 192.0.2.1 80 {\nreal_server "
		     "192.0.2.2 80 "
		     "{\n}\n}\nvirtual_server_group G {\n}\nSSL {\n}\n");
	assert_one_warning(&r, "IPVS and health checking stay keepalived's: keep a keepalived with --check");
	run_end(&r);
}

static void own_xdp_mode_is_read_at_the_root_too(void **state)
{
	struct run r;

	(void)state;
	run_text(&r, "xdp_mode skb\n");
	assert_silent(&r);
	assert_int_equal(r.conf.mode, CONF_MODE_SKB);
	assert_prints_to_itself(&r.conf);
	run_end(&r);
}

/* IEEE 802.1Q: 0 is the priority tag, 4095 is reserved. */
static void own_xdp_vlan_is_a_number_from_1_to_4094(void **state)
{
	static const struct {
		const char *line, *said;
	} rows[] = {
		{ "xdp_vlan 0",
		  "t.conf:4:10: error: xdp_vlan 0 is the priority tag, that is untagged; write 1 to 4094" },
		{ "xdp_vlan 4095", "t.conf:4:10: error: xdp_vlan 4095 is no VLAN id; write 1 to 4094" },
		{ "xdp_vlan 65636", "xdp_vlan 65636 is no VLAN id" },
		{ "xdp_vlan x", "xdp_vlan \"x\" is not a VLAN id" },
		{ "xdp_vlan -1", "xdp_vlan \"-1\" is not a VLAN id" },
		{ "xdp_vlan", "t.conf:4:1: error: xdp_vlan has no value" },
		{ "xdp_vlan 1", NULL },
		{ "xdp_vlan 4094", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char body[128];
		struct run r;

		snprintf(body, sizeof(body), "%s\nvirtual_ipaddress { 192.0.2.1 }", rows[i].line);
		run_instance(&r, body);
		if (rows[i].said) {
			assert_one_error(&r, rows[i].said);
		} else {
			assert_silent(&r);
			assert_int_equal(r.conf.vrs[0].vlan, atoi(rows[i].line + strlen("xdp_vlan ")));
			assert_string_equal(r.conf.vrs[0].vips[0].dev, "eth0");
			assert_prints_to_itself(&r.conf);
		}
		run_end(&r);
	}
}

/* KA-4 for each VLAN: VRIDs and addresses are of one link. */
static void vlans_are_links_of_their_own(void **state)
{
	static const char text[] = "vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\n"
				   "virtual_ipaddress { 192.0.2.1 }\n}\n"
				   "vrrp_instance B {\ninterface eth0\nxdp_vlan 100\nvirtual_router_id 1\n"
				   "virtual_ipaddress { 192.0.2.1 }\n}\n"
				   "vrrp_instance C {\ninterface eth0\nxdp_vlan %u\nvirtual_router_id 1\n"
				   "virtual_ipaddress { 192.0.2.1 }\n}\n";
	char bytes[sizeof(text) + 8];
	struct run r;

	(void)state;
	snprintf(bytes, sizeof(bytes), text, 200);
	run_text(&r, bytes);
	assert_silent(&r);
	assert_prints_to_itself(&r.conf);
	run_end(&r);
	snprintf(bytes, sizeof(bytes), text, 100);
	run_text(&r, bytes);
	assert_int_equal(r.errors, 2);
	assert_says(&r, "t.conf:12:1: error: C: virtual_router_id 1 on eth0 VLAN 100 is taken by \"B\" (t.conf:6)");
	assert_says(&r, "t.conf:16:0: error: C: virtual address 192.0.2.1 on eth0 VLAN 100 is taken by \"B\"");
	run_end(&r);
}

static void own_xdp_replaced_knows_two_words(void **state)
{
	struct run r;

	(void)state;
	run_text(&r, "vrrp_instance V {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress { 192.0.2.1 }\n}\n");
	assert_silent(&r);
	assert_int_equal(r.conf.globals.replaced, CONF_REPLACED_RESTORE);
	run_end(&r);
	run_text(&r, "global_defs {\n xdp_replaced Fault\n}\n");
	assert_one_error(&r, "t.conf:2:15: error: xdp_replaced \"Fault\" is not known; write restore or fault");
	run_end(&r);
}

/* One instance, after global_defs with @globals. */
static void run_both(struct run *r, const char *globals, const char *body)
{
	struct text t = { 0 };

	text_str(&t, "global_defs {\n");
	text_str(&t, globals);
	text_str(&t, "\n}\nvrrp_instance V {\ninterface eth0\nvirtual_router_id 51\n");
	text_str(&t, body);
	text_str(&t, "\nvirtual_ipaddress { 192.0.2.10/24 }\n}\n");
	run_text(r, t.s);
	free(t.s);
}

static void own_times_are_global_or_of_an_instance(void **state)
{
	struct run r;

	(void)state;
	run_both(&r, "vrrp_version 3\nxdp_handover_skew 0.000000001\nxdp_max_advert_int 1\nxdp_link_settle 255", "");
	assert_silent(&r);
	assert_int_equal(r.conf.vrs[0].handover_ns, 1);
	assert_int_equal(r.conf.vrs[0].max_adver_ns, 1000000000ull);
	assert_int_equal(r.conf.vrs[0].link_settle_ns, 255000000000ull);
	assert_prints_to_itself(&r.conf);
	run_end(&r);
	run_both(&r, "vrrp_version 3\nxdp_handover_skew 0.1\nxdp_max_advert_int 9\nxdp_link_settle 2",
		 "xdp_handover_skew 1\nxdp_max_advert_int 0\nxdp_link_settle 0");
	assert_silent(&r);
	assert_int_equal(r.conf.vrs[0].handover_ns, 1000000000ull);
	assert_int_equal(r.conf.vrs[0].max_adver_ns, 0);
	assert_int_equal(r.conf.vrs[0].link_settle_ns, 0);
	assert_prints_to_itself(&r.conf);
	run_end(&r);
	run_both(&r, "xdp_max_advert_int 1", "advert_int 5"); /* version 2 learns none */
	assert_silent(&r);
	assert_int_equal(r.conf.vrs[0].max_adver_ns, 0);
	run_end(&r);
}

static void own_times_have_limits(void **state)
{
	static const struct {
		const char *line, *said;
	} rows[] = {
		{ "xdp_handover_skew", "t.conf:7:1: error: xdp_handover_skew has no value; it takes 0 to 1 seconds" },
		{ "xdp_handover_skew 1.1",
		  "t.conf:7:19: error: xdp_handover_skew 1.1 is outside the legal range; write 0 to 1 seconds" },
		{ "xdp_handover_skew 0.0000000001",
		  "t.conf:7:19: error: xdp_handover_skew \"0.0000000001\" is not a number of seconds" },
		{ "xdp_handover_skew 0.3",
		  "t.conf:4:1: warning: V: hand-over skew 0.300000 s is slower than the RFC's, "
		  "0.200000 s; the RFC's is used" },
		{ "xdp_handover_skew 0.2", "" },
		{ "xdp_max_advert_int 41", "t.conf:7:20: error: xdp_max_advert_int 41 is outside the legal range; "
					   "write 0.01 to 40.95 seconds" },
		{ "xdp_max_advert_int -1", "t.conf:7:20: error: xdp_max_advert_int \"-1\" is not a number of seconds" },
		{ "xdp_max_advert_int 0.19",
		  "t.conf:4:1: error: V: longest advert interval 0.190000 s is below our own, "
		  "0.200000 s" },
		{ "xdp_max_advert_int 0.2", "" },
		{ "version 2\nadvert_int 1\nxdp_max_advert_int 5",
		  "t.conf:4:1: warning: V: longest advert interval 5.000000 s has no meaning in version 2" },
		{ "xdp_link_settle 256",
		  "t.conf:7:17: error: xdp_link_settle 256 is outside the legal range; write 0 to 255 seconds" },
		{ "xdp_link_settle soon", "t.conf:7:17: error: xdp_link_settle \"soon\" is not a number of seconds" },
	};
	struct run r;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char body[128];

		snprintf(body, sizeof(body), "%s\n%s", rows[i].line,
			 strstr(rows[i].line, "advert_int 1") ? "" : "advert_int 0.2");
		run_both(&r, "vrrp_version 3", body);
		assert_one(&r, rows[i].said);
		if (!r.errors)
			assert_prints_to_itself(&r.conf);
		run_end(&r);
	}
}

static void own_peers_are_who_may_send_to_a_multicast_router(void **state)
{
	struct run r;
	const struct conf_vr *vr;

	(void)state;
	run_both(&r, "", "xdp_peers {\n192.0.2.2\n192.0.2.3 192.0.2.1\n}");
	assert_silent(&r);
	vr = &r.conf.vrs[0];
	assert_false(vr->unicast);
	assert_int_equal(vr->nallowed, 3);
	assert_addr(&vr->allowed[0].addr, "192.0.2.2");
	assert_addr(&vr->allowed[2].addr, "192.0.2.1");
	for (size_t i = 0; i < vr->nallowed; i++) {
		assert_true(vr->allowed[i].ttl_set);
		assert_int_equal(vr->allowed[i].min_ttl, 255);
		assert_int_equal(vr->allowed[i].max_ttl, 255);
	}
	assert_prints_to_itself(&r.conf);
	run_end(&r);
}

static void own_peers_that_cannot_work_are_said(void **state)
{
	static const struct {
		const char *body, *said;
		size_t n;
	} rows[] = {
		{ "xdp_peers {\n192.0.2.2\n192.0.2.2\n}", "t.conf:9:1: warning: \"192.0.2.2\" is in this list already",
		  1 },
		{ "xdp_peers {\n192.0.2.2 192.0.2.\n}",
		  "t.conf:8:11: error: \"192.0.2.\" in xdp_peers is not an IP address", 1 },
		{ "xdp_peers {\n192.0.2.2/24\n}",
		  "t.conf:8:1: error: \"192.0.2.2/24\" in xdp_peers is not an IP address", 0 },
		{ "xdp_peers {\nfe80::2\n}",
		  "t.conf:8:0: error: V: allowed peer fe80::2 is IPv6 but the virtual router is "
		  "IPv4",
		  1 },
		{ "xdp_peers {\n224.0.0.18\n}",
		  "t.conf:8:0: error: V: allowed peer 224.0.0.18 is not the address of a host", 1 },
		{ "xdp_peers {\n}", "t.conf:7:1: warning: xdp_peers is empty, so adverts of EVERYBODY count", 0 },
		{ "xdp_peers {\n192.0.2.2\n}\nunicast_peer {\n192.0.2.2\n}",
		  "t.conf:8:0: warning: V: the list of allowed peers is ignored because the unicast peers are the list "
		  "already",
		  0 },
	};
	struct run r;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		run_both(&r, "", rows[i].body);
		assert_one(&r, rows[i].said);
		assert_int_equal(r.conf.vrs[0].nallowed, rows[i].n);
		if (!r.errors)
			assert_prints_to_itself(&r.conf);
		run_end(&r);
	}
}

static void own_ipv6_peers_should_be_link_local(void **state)
{
	struct run r;

	(void)state;
	run_instance(&r, "xdp_peers {\nfe80::2\nfd00::2\n}\nvirtual_ipaddress { fe80::51/64 }");
	assert_one_warning(&r, "t.conf:6:0: warning: V: allowed peer fd00::2 is not link-local");
	assert_int_equal(r.conf.vrs[0].nallowed, 2);
	run_end(&r);
}

static void more_than_255_own_peers_are_one_error(void **state)
{
	struct text t = { 0 };
	struct run r;
	char line[32];

	(void)state;
	text_str(&t, "xdp_peers {\n");
	for (int i = 0; i < 300; i++) {
		snprintf(line, sizeof(line), "10.0.%d.%d\n", i / 100, i % 100 + 1);
		text_str(&t, line);
	}
	text_str(&t, "}");
	run_both(&r, "", t.s);
	assert_one_error(&r, "t.conf:263:1: error: \"10.0.2.56\" is peer number 256; an instance has at most 255");
	assert_int_equal(r.conf.vrs[0].nallowed, 255);
	run_end(&r);
	free(t.s);
}

static void own_control_group_has_to_exist(void **state)
{
	struct run r;

	(void)state;
	run_both(&r, "xdp_control_group adm", "");
	assert_silent(&r);
	assert_true(r.conf.globals.control_group_set);
	assert_int_equal(r.conf.globals.control_gid, 4);
	assert_prints_to_itself(&r.conf);
	run_end(&r);
	run_both(&r, "", "");
	assert_false(r.conf.globals.control_group_set);
	run_end(&r);
	run_both(&r, "  xdp_control_group wheels", "");
	assert_one_error(&r, "t.conf:2:21: error: xdp_control_group: there is no group \"wheels\"; make it, or write");
	assert_false(r.conf.globals.control_group_set);
	run_end(&r);
	run_both(&r, "xdp_control_group", "");
	assert_one_error(&r, "t.conf:2:1: error: xdp_control_group has no value; it takes the name of one that exists");
	run_end(&r);
}

static void unknown_interface_waits_with_dynamic_interfaces(void **state)
{
	struct run r;

	(void)state;
	run_text(&r, "vrrp_instance V {\ninterface none0\nvirtual_router_id 1\nvirtual_ipaddress { 192.0.2.1 dev "
		     "none1\n}\n}\n"
		     "global_defs {\ndynamic_interfaces\n}\n");
	assert_silent(&r);
	assert_string_equal(r.conf.vrs[0].vips[0].dev, "none1");
	run_end(&r);
}

static void min_garp_changes_built_in_defaults_only(void **state)
{
	struct run r;

	(void)state;
	run_text(&r, "global_defs {\nvrrp_garp_master_delay 7\nvrrp_min_garp\n}\nvrrp_instance V {\ninterface eth0\n"
		     "virtual_router_id 1\nvirtual_ipaddress { 192.0.2.1 }\n}\n");
	assert_silent(&r);
	assert_int_equal(r.conf.vrs[0].garp.repeat, 1);
	assert_int_equal(r.conf.vrs[0].garp.delay_ns, 7000000000ull);
	assert_int_equal(r.conf.vrs[0].garp.lower_prio_repeat, 1);
	assert_prints_to_itself(&r.conf);
	run_end(&r);
}

static void group_trackers_are_in_every_member(void **state)
{
	struct run r;

	(void)state;
	run_text(&r, "vrrp_script s {\nscript /usr/bin/true\n}\nvrrp_sync_group G {\ngroup { A B }\ntrack_script { s "
		     "weight 5 }\n"
		     "}\nvrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress { 192.0.2.1 }\n}\n"
		     "vrrp_instance B {\ninterface eth1\nvirtual_router_id 1\nvirtual_ipaddress { 192.0.2.2 }\n}\n");
	assert_silent(&r);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(r.conf.vrs[i].group_index, 0);
		assert_int_equal(r.conf.vrs[i].tracks.nscripts, 1);
		assert_int_equal(r.conf.vrs[i].tracks.scripts[0].weight, 5);
	}
	assert_prints_to_itself(&r.conf);
	run_end(&r);
}

/* ---- hostile input ---- */

static void nul_byte_is_one_error(void **state)
{
	static const char bytes[] = "vrrp_instance V {\ninter\0face eth0\nbad\nbad\n";
	struct run r;

	(void)state;
	run_bytes(&r, bytes, sizeof(bytes) - 1);
	assert_one_error(&r, "t.conf:2:0: error: byte 0x00 is not text");
	run_end(&r);
}

static void line_of_a_mebibyte_is_one_error(void **state)
{
	size_t len = 1 << 20;
	char *line = malloc(len);
	struct run r;

	(void)state;
	assert_non_null(line);
	memset(line, 'x', len);
	run_bytes(&r, line, len);
	assert_one_error(&r, "this line has 1048576 characters");
	free(line);
	run_end(&r);
}

static void ten_thousand_nested_braces_are_one_error(void **state)
{
	struct text t = { 0 };
	struct run r;

	(void)state;
	for (int i = 0; i < 10000; i++)
		text_str(&t, "a {\n");
	run_text(&r, t.s);
	assert_int_equal(r.errors, 1);
	assert_says(&r, "blocks stand more than 64 deep");
	free(t.s);
	run_end(&r);
}

static void file_that_includes_itself_is_one_error(void **state)
{
	const struct mem_file f = { "t.conf", "include t.conf\ninclude t.conf\n", 0 };
	struct run r;

	(void)state;
	run_files(&r, &f, 1);
	assert_one_error(&r, "look for files that include themselves");
	run_end(&r);
}

static void definition_that_uses_itself_is_one_error(void **state)
{
	static const char *const loops[] = {
		"$A=$A\n$A\n",
		"$A=x${A}y\n${A}\n$A\n",
		"$A=${B}${B}\n$B=${A}${A}\n$A\n",
		"$A= \\\n x \\\n $A \\\n $A\n$A\n",
		"$A=~SEQ(N,1,3) $A\n$A\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(loops) / sizeof(loops[0]); i++) {
		struct run r;

		run_text(&r, loops[i]);
		assert_int_equal(r.errors, 1);
		assert_says(&r, "itself");
		run_end(&r);
	}
}

static void definitions_that_double_are_one_error(void **state)
{
	struct text t = { 0 };
	char line[64];
	struct run r;

	(void)state;
	text_str(&t, "$A0=0123456789\n");
	for (int i = 1; i < 40; i++) {
		snprintf(line, sizeof(line), "$A%d=${A%d}${A%d}\n", i, i - 1, i - 1);
		text_str(&t, line);
	}
	text_str(&t, "$A39\n");
	run_text(&r, t.s);
	assert_int_equal(r.errors, 1);
	free(t.s);
	run_end(&r);
}

static void runaway_seq_is_one_error(void **state)
{
	struct run r;

	(void)state;
	run_text(&r, "vrrp_instance V {\n~SEQ(A,1,1000000) ~SEQ(B,1,1000000) state BACKUP\n}\n");
	assert_one_error(&r, "t.conf:2:0: error: definitions and ~SEQ need more than 3000000 steps");
	run_end(&r);
}

static void more_than_a_hundred_errors_end_the_reading(void **state)
{
	struct text t = { 0 };
	struct run r;

	(void)state;
	for (int i = 0; i < 100000; i++)
		text_str(&t, "global_defs {\nrouter_id\n}\n");
	run_text(&r, t.s);
	assert_int_equal(r.errors, 101);
	assert_says(&r, "error: 100 errors so far");
	free(t.s);
	run_end(&r);
}

/* 10 MiB of the first two and 1 MiB of the rest: a parser that is not linear takes minutes here. */
static void ten_mebibytes_of_anything_end(void **state)
{
	static const char *const parts[] = {
		"a\n",
		"vrrp_instance V {}\n",
		"{",
		"}",
		"a{",
		"\"",
		"$A=$A\n",
		"$",
		"${",
		"@",
		"@x $A=\\\n",
		"~SEQ(",
		"~LST({,",
		"#",
		"\n",
		"\\\n",
		"include \n",
		"$A= \\\n",
		"vrrp_instance V {\n",
		"vrrp_instance V {}\n",
		"x ${a",
		"192.0.2.1\n",
		"~LST(A,1) ",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		size_t n = strlen(parts[i]), size = (size_t)(i < 2 ? 10 : 1) << 20;
		char *bytes = malloc(size);
		struct run r;

		assert_non_null(bytes);
		for (size_t at = 0; at < size; at++)
			bytes[at] = parts[i][at % n];
		run_bytes(&r, bytes, size);
		assert_true(r.errors <= 101);
		assert_true(r.warnings <= 1001);
		free(bytes);
		run_end(&r);
	}
}

/* They are more than the data plane has room for, and on more interfaces, which is said once each. */
static void sixty_five_thousand_instances_made_by_seq_are_read(void **state)
{
	struct run r;

	(void)state;
	run_text(&r,
		 "$VI4= \\\nvrrp_instance vrrp4.${IF}.${NUM}.${ID} { \\\ninterface bond${IF}.${NUM} \\\n"
		 "virtual_router_id ${ID} \\\npriority 130 \\\nvirtual_ipaddress { \\\n10.${IF}.${NUM}.${ID}/24 \\\n"
		 "} \\\n}\n~SEQ(IF,0,7) ~SEQ(NUM,0,31) ~SEQ(ID,1,254) $VI4\n");
	assert_int_equal(r.errors, 2);
	assert_int_equal(r.warnings, 0);
	assert_int_equal(r.conf.nvrs, 65024);
	assert_string_equal(r.conf.vrs[65023].name, "vrrp4.7.31.254");
	run_end(&r);
}

/* The size of a large load balancer. Generous: ASan and a busy machine; what is quadratic takes minutes. */
static void thousand_instances_with_20000_addresses_load_quickly(void **state)
{
	struct text t = { 0 };
	clock_t start;
	struct run r;
	char line[256];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(line, sizeof(line), "vrrp_script chk%d {\nscript \"/usr/bin/true %d\"\nuser root\n}\n", i, i);
		text_str(&t, line);
		snprintf(line, sizeof(line),
			 "vrrp_instance V%d {\ninterface bond%d\nvirtual_router_id %d\npriority 100\n"
			 "track_script {\nchk%d\n}\nvirtual_ipaddress {\n",
			 i, i / 200, i % 200 + 1, i);
		text_str(&t, line);
		for (int v = 0; v < 20; v++) {
			snprintf(line, sizeof(line), "10.%d.%d.%d/24\n", i / 200, i % 200, v + 1);
			text_str(&t, line);
		}
		text_str(&t, "}\n}\n");
	}
	start = clock();
	run_text(&r, t.s);
	assert_true(clock() - start < 10 * CLOCKS_PER_SEC);
	assert_int_equal(r.errors, 0);
	assert_int_equal(r.conf.nvrs, 1000);
	assert_int_equal(r.conf.vrs[999].tracks.scripts[0].item, 999);
	free(t.s);
	run_end(&r);
}

/* Each list is as long as a file of some 600 KiB can make it. */
static void long_lists_in_one_block_load_quickly(void **state)
{
	static const char *const lists[] = { "virtual_ipaddress", "virtual_ipaddress_excluded", "track_interface",
					     "virtual_rules", "virtual_routes" };
	static const char *const entries[] = { "10.%d.%d.%d", "10.%d.%d.%d", "e%d.%d.%d",
					       "from 10.%d.%d.%d table 9 pref 1", "10.%d.%d.%d/32 via 192.0.2.1" };
	clock_t start = clock();

	(void)state;
	for (size_t k = 0; k < 5; k++) {
		struct text t = { 0 };
		struct run r;
		char line[64];

		text_str(&t, lists[k]);
		text_str(&t, " {\n");
		for (int i = 0; i < 30000; i++) {
			snprintf(line, sizeof(line), entries[k], i >> 16, i >> 8 & 255, i & 255);
			text_str(&t, line);
			text_str(&t, "\n");
		}
		text_str(&t, "}");
		run_instance(&r, t.s);
		assert_int_equal(r.errors, 0);
		free(t.s);
		run_end(&r);
	}
	assert_true(clock() - start < 20 * CLOCKS_PER_SEC);
}

/* Cuts and single-byte changes of a file that uses every feature: no crash, and the result is consistent. */
static void damaged_files_end_with_messages_only(void **state)
{
	static const char good[] =
		"\xef\xbb\xbf$N=1 # c\n$M= \\\n a ${N} \\\n } \n@node1 include x{1,2}\nglobal_defs {\n"
		"vrrp_version 3\n}\nvrrp_instance \"V 1\" {\ninterface eth0\nvirtual_router_id ${N}\n"
		"~SEQx(A,1,2,9) ~LST({B,C},{1,2}) advert_int 0.5\nstate MASTER\nauthentication {\n"
		"auth_type PASS\nauth_pass \"x#y\"\n}\nunicast_peer {\n192.0.2.9 min_ttl 3\n}\n"
		"virtual_ipaddress {\n192.0.2.${N}/24 dev eth0 brd +\n${_ENV VIP} ${_RANDOM 1 9}\n}\n}\n";
	static const char odd[] = "\0\"{}$@~#!\\\n ,()0z\xff";
	char bytes[sizeof(good)];
	struct run r;

	(void)state;
	for (size_t len = 1; len < sizeof(good); len++) {
		run_bytes(&r, good, len);
		run_end(&r);
	}
	for (size_t at = 0; at < sizeof(good) - 1; at++)
		for (size_t i = 0; i < sizeof(odd) - 1; i++) {
			memcpy(bytes, good, sizeof(good));
			bytes[at] = odd[i];
			run_bytes(&r, bytes, sizeof(good) - 1);
			if (r.rc == 0)
				assert_prints_to_itself(&r.conf);
			run_end(&r);
		}
}

/* ---- values ---- */

static void numbers_are_strict(void **state)
{
	static const char *const bad[] = { "0",  "256",  "300", "1s",  "0x10",   "1e2",
					   "-1", "\"\"", "1.0", "abc", "\"5 \"", "99999999999999999999999999" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char line[128];
		struct run r;

		snprintf(line, sizeof(line), "virtual_router_id %s\nvirtual_ipaddress { 192.0.2.1 }", bad[i]);
		run_instance(&r, line);
		assert_one_error(&r, "virtual_router_id");
		run_end(&r);
	}
}

static void plus_sign_and_blanks_in_quotes_are_numbers(void **state)
{
	struct run r;

	(void)state;
	run_instance(&r, "priority +7\nadvert_int \" 2\"\nvirtual_ipaddress { 192.0.2.1 }");
	assert_silent(&r);
	assert_int_equal(r.conf.vrs[0].priority, 7);
	assert_int_equal(r.conf.vrs[0].adver_ns, 2000000000ull);
	run_end(&r);
}

static void advert_int_is_rounded_like_keepalived(void **state)
{
	static const struct {
		const char *text;
		int version;
		uint64_t ms;
	} t[] = {
		{ "1", 2, 1000 },        { "0.4", 2, 1000 },     { "1.5", 2, 2000 },     { "1.49", 2, 1000 },
		{ "255", 2, 255000 },    { "254.6", 2, 255000 }, { "0.01", 3, 10 },      { "0.014", 3, 10 },
		{ "0.015", 3, 20 },      { "40.95", 3, 40950 },  { "40.954", 3, 40950 }, { ".5", 3, 500 },
		{ "1.000000", 3, 1000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		char line[128];
		struct run r;

		snprintf(line, sizeof(line), "version %d\nadvert_int %s\nvirtual_ipaddress { 192.0.2.1 }", t[i].version,
			 t[i].text);
		run_instance(&r, line);
		assert_int_equal(r.errors, 0);
		assert_int_equal(r.conf.vrs[0].adver_ns, t[i].ms * 1000000);
		run_end(&r);
	}
}

static void advert_int_out_of_range_or_malformed_leaves_a_legal_one(void **state)
{
	static const char *const bad[] = { "0",  "0.009", "255.1", "256",       "40.96", "1s",
					   "-1", "1.2.3", ".",     "1.1234567", "1e1",   "1." };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char line[128];
		struct run r;

		snprintf(line, sizeof(line), "version 3\nadvert_int %s\nvirtual_ipaddress { 192.0.2.1 }", bad[i]);
		run_instance(&r, line);
		assert_one_warning(&r, "advert_int");
		assert_int_equal(r.conf.vrs[0].adver_ns, strcmp(bad[i], "40.96") ? 1000000000ull : 40950000000ull);
		run_end(&r);
	}
}

static void addresses_are_strict(void **state)
{
	static const struct {
		const char *text;
		int err;
	} t[] = {
		{ "192.0.2.1", 0 },
		{ "192.0.2.1/0", 0 },
		{ "fd00::1/128", 0 },
		{ "192.0.2.1/33", -ERANGE },
		{ "fd00::1/129", -ERANGE },
		{ "192.0.2.1/", -ERANGE },
		{ "192.0.2.1/2x", -ERANGE },
		{ "192.0.2.1/+4", -ERANGE },
		{ "192.0.2.1/255.255.255.0", -ERANGE },
		{ "192.0.2.256", -EINVAL },
		{ "192.0.2", -EINVAL },
		{ "host", -EINVAL },
		{ "", -EINVAL },
		{ "fd00::g", -EINVAL },
		{ "192.0.2.1-9", -EINVAL },
		{ "fe80::1%eth0", -EINVAL },
	};
	struct conf_addr a;
	uint8_t plen;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_int_equal(conf_parse_addr(t[i].text, &a, &plen), t[i].err);
	assert_int_equal(conf_parse_addr("192.0.2.1/24", &a, NULL), -EINVAL);
	assert_int_equal(conf_parse_addr("192.0.2.1", &a, &plen), 0);
	assert_int_equal(plen, 32);
}

static void interface_name_of_sixteen_characters_is_an_error(void **state)
{
	struct run r;

	(void)state;
	run_instance(&r, "interface abcdefghijklmnop\nvirtual_ipaddress { 192.0.2.1 }");
	assert_one_error(&r, "interface \"abcdefghijklmnop\" is not an interface name");
	run_end(&r);
}

static void virtual_addresses_over_255_become_excluded(void **state)
{
	struct run r;

	(void)state;
	run_instance(&r, "virtual_ipaddress {\n~SEQ(A,0,255) 10.0.0.${A}\n~SEQ(A,0,255) 10.0.1.${A}\n}");
	assert_one_warning(&r, "an advert holds 255 of the 512 virtual addresses; the other 257 count as");
	assert_int_equal(r.conf.vrs[0].nvips, 255);
	assert_int_equal(r.conf.vrs[0].nexcluded, 257);
	assert_prints_to_itself(&r.conf);
	run_end(&r);
}

/* Spec 2.3: 89 are what keepalived puts into an MTU of 1500. */
static void ipv6_addresses_over_89_become_excluded(void **state)
{
	struct run r;

	(void)state;
	run_instance(&r, "virtual_ipaddress {\nfe80::51/64\n~SEQ(A,1,89) 2001:db8::${A}\n}");
	assert_one_warning(&r, "an advert holds 89 of the 90 virtual addresses; the other 1 count as");
	assert_int_equal(r.conf.vrs[0].nvips, 89);
	assert_int_equal(r.conf.vrs[0].nexcluded, 1);
	assert_prints_to_itself(&r.conf);
	run_end(&r);
}

/* KA-1 */
static void ipv6_is_version_3_whatever_is_written(void **state)
{
	struct run r;

	(void)state;
	run_instance(&r, "virtual_ipaddress { fe80::51/64 }");
	assert_silent(&r);
	assert_int_equal(r.conf.vrs[0].family, 6);
	assert_int_equal(r.conf.vrs[0].version, 3);
	assert_int_equal(r.conf.vrs[0].unicast_ttl, 255);
	run_end(&r);
	run_instance(&r, "virtual_ipaddress { fe80::51/64 }\nversion 2");
	assert_one_warning(&r, "t.conf:5:1: warning: version 2 is for IPv4 only, so 3 is used");
	assert_int_equal(r.conf.vrs[0].version, 3);
	assert_prints_to_itself(&r.conf);
	run_end(&r);
}

/* KA-7, RFC 9568 5.2.9 */
static void first_ipv6_address_should_be_link_local(void **state)
{
	struct run r;

	(void)state;
	run_instance(&r, "virtual_ipaddress {\nfd00::4/64\nfe80::4/64\n}");
	assert_one_warning(&r, "t.conf:5:0: warning: V: the first virtual address, fd00::4, is not link-local");
	assert_says(&r, "put one such as fe80::51/64 before it");
	run_end(&r);
	run_instance(&r, "strict_mode\nvirtual_ipaddress {\nfd00::4/64\n}");
	assert_one_error(&r, "t.conf:6:0: error: V: the first virtual address, fd00::4, is not link-local, but strict");
	run_end(&r);
	run_instance(&r, "unicast_peer { fd00::2 }\nvirtual_ipaddress { fd00::4/64 }");
	assert_silent(&r);
	run_end(&r);
	run_instance(&r, "virtual_ipaddress { febf::1 }");
	assert_silent(&r);
	run_end(&r);
	run_instance(&r, "virtual_ipaddress { fec0::1 }");
	assert_one_warning(&r, "fec0::1, is not link-local");
	run_end(&r);
}

/* Spec 7, 6: one VRID for each family. */
static void families_have_vrids_of_their_own(void **state)
{
	struct run r;

	(void)state;
	run_text(&r, "vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress { 192.0.2.1 }\n}\n"
		     "vrrp_instance B {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress { fe80::1 }\n}\n");
	assert_silent(&r);
	run_end(&r);
	run_text(&r, "vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress { fe80::2 }\n}\n"
		     "vrrp_instance B {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress { fe80::1 }\n}\n");
	assert_one_error(&r, "B: virtual_router_id 1 on eth0 is taken by \"A\"");
	run_end(&r);
}

/* What is link-local is on one link only, so peers there can be told apart (7 #7). */
static void link_local_peers_are_of_their_link(void **state)
{
	static const char text[] = "vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nunicast_src_ip %1$s1\n"
				   "unicast_peer { %1$s2 }\nvirtual_ipaddress { fd00::99 }\n}\n"
				   "vrrp_instance B {\ninterface eth1\nvirtual_router_id 1\nunicast_src_ip %1$s1\n"
				   "unicast_peer { %1$s2 }\nvirtual_ipaddress { fd00::99 }\n}\n";
	char bytes[sizeof(text) + 64];
	struct run r;

	(void)state;
	snprintf(bytes, sizeof(bytes), text, "fe80::");
	run_text(&r, bytes);
	assert_silent(&r);
	run_end(&r);
	snprintf(bytes, sizeof(bytes), text, "fd00::");
	run_text(&r, bytes);
	assert_one_error(&r, "B: virtual_router_id 1 from fd00::1 to peer fd00::2 is used by \"A\"");
	run_end(&r);
}

static void globals_that_come_last_still_count(void **state)
{
	struct run r;

	(void)state;
	run_text(&r, "vrrp_instance V {\ninterface eth0\nvirtual_router_id 1\nadvert_int 0.5\n"
		     "virtual_ipaddress { 192.0.2.1 }\n}\nglobal_defs {\nvrrp_version 3\nv3_checksum_as_v2\n}\n");
	assert_silent(&r);
	assert_int_equal(r.conf.vrs[0].version, 3);
	assert_int_equal(r.conf.vrs[0].csum, CONF_CSUM_RFC9568);
	assert_prints_to_itself(&r.conf);
	run_end(&r);
}

/* ---- the flags of attach ---- */

static struct conf_vr *attach_vip(struct run *r, const char *vip)
{
	struct conf_addr a;
	struct conf_vr *vr;
	uint8_t plen;

	memset(r, 0, sizeof(*r));
	text_str(&r->msgs, "");
	conf_init(&r->conf);
	vr = conf_add_vr(&r->conf, "eth0/51");
	assert_non_null(vr);
	snprintf(vr->ifname, sizeof(vr->ifname), "eth0");
	vr->vrid = 51;
	assert_int_equal(conf_parse_addr(vip, &a, &plen), 0);
	assert_int_equal(conf_vr_add_vip(vr, &a, plen, 0), 0);
	assert_int_equal(conf_vr_add_vip(vr, &a, 32, 0), -EEXIST);
	return vr;
}

static struct conf_vr *attach(struct run *r)
{
	return attach_vip(r, "192.0.2.1/24");
}

static void check(struct run *r)
{
	r->rc = conf_check(&r->conf, on_msg, r);
	assert_int_equal(r->rc, r->errors);
}

static void defaults_of_attach_are_those_of_rfc_9568(void **state)
{
	struct run r;
	const struct conf_vr *vr = attach(&r);

	(void)state;
	check(&r);
	assert_silent(&r);
	assert_int_equal(vr->version, 3);
	assert_int_equal(vr->priority, 100);
	assert_int_equal(vr->adver_ns, 1000000000ull);
	assert_true(vr->preempt);
	assert_int_equal(vr->csum, CONF_CSUM_AUTO);
	assert_int_equal(vr->garp.repeat, 5);
	assert_string_equal(vr->vips[0].dev, "eth0");
	assert_prints_to_itself(&r.conf);
	run_end(&r);
}

static void half_a_second_with_version_2_flags_is_an_error(void **state)
{
	struct run r;
	struct conf_vr *vr = attach(&r);

	(void)state;
	vr->version = 2;
	vr->adver_ns = 500000000;
	check(&r);
	assert_one_error(&r, ":0:0: error: eth0/51: advert_int 0.500000 s does not fit version 2");
	run_end(&r);
}

static void every_bad_flag_is_named(void **state)
{
	struct run r;
	struct conf_vr *vr = attach(&r);

	(void)state;
	vr->ifname[0] = '\0';
	vr->vrid = 0;
	vr->priority = 0;
	vr->adver_ns = 15000000;
	check(&r);
	assert_int_equal(r.errors, 4);
	assert_says(&r, "interface is missing");
	assert_says(&r, "virtual_router_id is missing");
	assert_says(&r, "priority 0 is outside 1-255");
	assert_says(&r, "advert_int 0.015000 s does not fit version 3; use 0.01 to 40.95");
	run_end(&r);
}

static void attach_takes_a_first_ipv6_address_that_is_not_link_local(void **state)
{
	struct run r;
	const struct conf_vr *vr = attach_vip(&r, "fd00::4/64");

	(void)state;
	check(&r);
	assert_one_warning(&r, ":0:0: warning: eth0/51: the first virtual address, fd00::4, is not link-local");
	assert_int_equal(vr->family, 6);
	assert_int_equal(vr->nvips, 1);
	run_end(&r);
}

static void ipv6_flags_that_cannot_work_are_errors(void **state)
{
	struct run r;
	struct conf_vr *vr = attach_vip(&r, "fe80::4/64");

	(void)state;
	vr->version = 2;
	assert_int_equal(conf_parse_addr("fd00::9", &vr->src, NULL), 0);
	check(&r);
	assert_int_equal(r.errors, 2);
	assert_says(&r, "error: eth0/51: version 2 is for IPv4 only; use version 3");
	assert_says(&r, "error: eth0/51: source address fd00::9 is not link-local");
	run_end(&r);
}

static void ipv6_addresses_that_no_host_has_are_errors(void **state)
{
	static const char *const vips[] = { "::", "::1", "ff02::12", "::ffff:192.0.2.1" };

	(void)state;
	for (size_t i = 0; i < sizeof(vips) / sizeof(vips[0]); i++) {
		struct run r;

		attach_vip(&r, vips[i]);
		check(&r);
		assert_one_error(&r, "is not the address of a host");
		run_end(&r);
	}
}

/* WF-4 */
static void more_ipv6_addresses_than_1500_bytes_hold_are_said(void **state)
{
	struct run r;
	struct conf_vr *vr = attach_vip(&r, "fe80::4/64");
	struct conf_addr a = { 6, { 0xfd } };

	(void)state;
	for (uint8_t i = 1; i < 90; i++) {
		a.b[15] = i;
		assert_int_equal(conf_vr_add_vip(vr, &a, 64, 0), 0);
	}
	check(&r);
	assert_silent(&r);
	a.b[15] = 90;
	assert_int_equal(conf_vr_add_vip(vr, &a, 64, 0), 0);
	check(&r);
	assert_one_warning(&r, "91 virtual addresses need an MTU above 1500, which holds 90");
	for (unsigned int i = 91; i < 256; i++) {
		a.b[15] = (uint8_t)i;
		assert_int_equal(conf_vr_add_vip(vr, &a, 64, 0), 0);
	}
	r.warnings = 0;
	check(&r);
	assert_one_error(&r, "256 virtual addresses do not fit an advert; use at most 255");
	run_end(&r);
}

static void own_flags_are_checked_too(void **state)
{
	static const struct {
		size_t off;
		uint64_t ns;
		const char *said;
	} rows[] = {
		{ offsetof(struct conf_vr, handover_ns), 1000000001, "hand-over skew 1.000000 s is outside 0-1 s" },
		{ offsetof(struct conf_vr, max_adver_ns), 999999999,
		  "longest advert interval 0.999999 s is below our own" },
		{ offsetof(struct conf_vr, max_adver_ns), 40950000001,
		  "longest advert interval 40.950000 s is outside" },
		{ offsetof(struct conf_vr, link_settle_ns), 255000000001, "link settle time 255 s is outside 0-255 s" },
	};
	struct conf_addr peer;
	struct conf_vr *vr;
	struct run r;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		vr = attach(&r);
		*(uint64_t *)((char *)vr + rows[i].off) = rows[i].ns;
		check(&r);
		assert_one_error(&r, rows[i].said);
		run_end(&r);
	}
	vr = attach(&r);
	assert_int_equal(conf_parse_addr("192.0.2.2", &peer, NULL), 0);
	assert_int_equal(conf_vr_allow(vr, &peer, 0), 0);
	assert_int_equal(conf_vr_allow(vr, &peer, 0), -EEXIST);
	check(&r);
	assert_silent(&r);
	assert_prints_to_itself(&r.conf);
	assert_int_equal(conf_vr_add_peer(vr, &peer), 0);
	check(&r);
	assert_one_warning(&r, ":0:0: warning: eth0/51: the list of allowed peers is ignored");
	assert_int_equal(vr->nallowed, 0);
	run_end(&r);
}

static void vlan_id_of_a_flag_is_checked_too(void **state)
{
	struct run r;
	struct conf_vr *vr = attach(&r);

	(void)state;
	vr->vlan = 4095;
	check(&r);
	assert_one_error(&r, "eth0/51: VLAN id 4095 is outside 1-4094");
	run_end(&r);
}

static void source_of_the_other_family_is_an_error(void **state)
{
	struct run r;
	struct conf_vr *vr = attach(&r);

	(void)state;
	assert_int_equal(conf_parse_addr("fd00::9", &vr->src, NULL), 0);
	check(&r);
	assert_one_error(&r, "eth0/51: source address fd00::9 is IPv6 but the virtual router is IPv4");
	run_end(&r);
}

static void flags_that_do_not_go_together_are_cleared(void **state)
{
	struct run r;
	struct conf_vr *vr = attach(&r);

	(void)state;
	vr->priority = 255;
	vr->preempt = false;
	vr->auth_pass_set = true;
	memcpy(vr->auth_pass, "secret", 6);
	check(&r);
	assert_int_equal(r.errors, 0);
	assert_int_equal(r.warnings, 2);
	assert_true(vr->preempt);
	assert_false(vr->auth_pass_set);
	assert_null(strstr(r.msgs.s, "secret"));
	run_end(&r);
}

static void password_of_eight_bytes_needs_no_terminator(void **state)
{
	struct run r;
	struct conf_vr *vr = attach(&r);

	(void)state;
	vr->version = 2;
	vr->auth_pass_set = true;
	memcpy(vr->auth_pass, "#8!{} $x", 8);
	check(&r);
	assert_silent(&r);
	assert_prints_to_itself(&r.conf);
	run_end(&r);
}

static void freeing_twice_is_harmless(void **state)
{
	struct run r;

	(void)state;
	attach(&r);
	conf_free(&r.conf);
	run_end(&r);
}

int main(int argc, char *argv[])
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(comment_sign_inside_word_ends_the_line),
		cmocka_unit_test(double_quotes_protect_comment_signs_and_braces),
		cmocka_unit_test(braces_may_stand_anywhere),
		cmocka_unit_test(quote_in_mid_word_starts_a_new_word),
		cmocka_unit_test(carriage_returns_and_byte_order_mark_are_dropped),
		cmocka_unit_test(unclosed_quote_is_one_warning_and_keeps_the_brace),
		cmocka_unit_test(definition_is_expanded_when_used_and_recursively),
		cmocka_unit_test(undefined_reference_stays_as_it_is),
		cmocka_unit_test(multi_line_definition_makes_instances),
		cmocka_unit_test(empty_line_or_comment_ends_a_multi_line_definition),
		cmocka_unit_test(condition_keeps_lines_of_this_host_only),
		cmocka_unit_test(condition_can_come_out_of_a_definition),
		cmocka_unit_test(seq_repeats_the_rest_of_the_line),
		cmocka_unit_test(lst_takes_values_and_tuples),
		cmocka_unit_test(malformed_seq_and_lst_are_errors),
		cmocka_unit_test(built_in_definitions_have_values),
		cmocka_unit_test(hash_built_in_starts_no_comment_without_quotes),
		cmocka_unit_test(unset_environment_variable_is_empty_with_a_warning),
		cmocka_unit_test(random_numbers_are_the_same_on_every_read),
		cmocka_unit_test(include_is_relative_to_the_including_file),
		cmocka_unit_test(missing_include_is_a_warning_and_a_checked_one_an_error),
		cmocka_unit_test(includeb_reads_every_alternative),
		cmocka_unit_test(missing_main_file_is_enoent),
		cmocka_unit_test(empty_file_is_an_empty_configuration),
		cmocka_unit_test(unknown_block_is_skipped_with_one_warning),
		cmocka_unit_test(columns_are_those_of_the_physical_line),
		cmocka_unit_test(blocks_of_ipvs_are_said_once),
		cmocka_unit_test(own_xdp_mode_is_read_at_the_root_too),
		cmocka_unit_test(own_xdp_vlan_is_a_number_from_1_to_4094),
		cmocka_unit_test(vlans_are_links_of_their_own),
		cmocka_unit_test(own_xdp_replaced_knows_two_words),
		cmocka_unit_test(own_times_are_global_or_of_an_instance),
		cmocka_unit_test(own_times_have_limits),
		cmocka_unit_test(own_peers_are_who_may_send_to_a_multicast_router),
		cmocka_unit_test(own_peers_that_cannot_work_are_said),
		cmocka_unit_test(own_ipv6_peers_should_be_link_local),
		cmocka_unit_test(more_than_255_own_peers_are_one_error),
		cmocka_unit_test(own_control_group_has_to_exist),
		cmocka_unit_test(unknown_interface_waits_with_dynamic_interfaces),
		cmocka_unit_test(min_garp_changes_built_in_defaults_only),
		cmocka_unit_test(group_trackers_are_in_every_member),
		cmocka_unit_test(nul_byte_is_one_error),
		cmocka_unit_test(line_of_a_mebibyte_is_one_error),
		cmocka_unit_test(ten_thousand_nested_braces_are_one_error),
		cmocka_unit_test(file_that_includes_itself_is_one_error),
		cmocka_unit_test(definition_that_uses_itself_is_one_error),
		cmocka_unit_test(definitions_that_double_are_one_error),
		cmocka_unit_test(runaway_seq_is_one_error),
		cmocka_unit_test(more_than_a_hundred_errors_end_the_reading),
		cmocka_unit_test(ten_mebibytes_of_anything_end),
		cmocka_unit_test(sixty_five_thousand_instances_made_by_seq_are_read),
		cmocka_unit_test(thousand_instances_with_20000_addresses_load_quickly),
		cmocka_unit_test(long_lists_in_one_block_load_quickly),
		cmocka_unit_test(damaged_files_end_with_messages_only),
		cmocka_unit_test(numbers_are_strict),
		cmocka_unit_test(plus_sign_and_blanks_in_quotes_are_numbers),
		cmocka_unit_test(advert_int_is_rounded_like_keepalived),
		cmocka_unit_test(advert_int_out_of_range_or_malformed_leaves_a_legal_one),
		cmocka_unit_test(addresses_are_strict),
		cmocka_unit_test(interface_name_of_sixteen_characters_is_an_error),
		cmocka_unit_test(virtual_addresses_over_255_become_excluded),
		cmocka_unit_test(ipv6_addresses_over_89_become_excluded),
		cmocka_unit_test(ipv6_is_version_3_whatever_is_written),
		cmocka_unit_test(first_ipv6_address_should_be_link_local),
		cmocka_unit_test(families_have_vrids_of_their_own),
		cmocka_unit_test(link_local_peers_are_of_their_link),
		cmocka_unit_test(globals_that_come_last_still_count),
		cmocka_unit_test(defaults_of_attach_are_those_of_rfc_9568),
		cmocka_unit_test(half_a_second_with_version_2_flags_is_an_error),
		cmocka_unit_test(every_bad_flag_is_named),
		cmocka_unit_test(attach_takes_a_first_ipv6_address_that_is_not_link_local),
		cmocka_unit_test(ipv6_flags_that_cannot_work_are_errors),
		cmocka_unit_test(ipv6_addresses_that_no_host_has_are_errors),
		cmocka_unit_test(more_ipv6_addresses_than_1500_bytes_hold_are_said),
		cmocka_unit_test(own_flags_are_checked_too),
		cmocka_unit_test(vlan_id_of_a_flag_is_checked_too),
		cmocka_unit_test(source_of_the_other_family_is_an_error),
		cmocka_unit_test(flags_that_do_not_go_together_are_cleared),
		cmocka_unit_test(password_of_eight_bytes_needs_no_terminator),
		cmocka_unit_test(freeing_twice_is_harmless),
	};
	int failed;

	if (argc > 1)
		golden_dir = argv[1];
	failed = cmocka_run_group_tests_name("conf", tests, NULL, NULL);
	return failed + run_golden() ? 1 : 0;
}
