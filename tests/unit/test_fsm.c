// SPDX-License-Identifier: GPL-2.0-or-later
/* The state machine, rule by rule; the ids are those of docs/vrrp-rules.md, section 3. */
#include "fsm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MS                      VX_NS_PER_MS
#define S                       VX_NS_PER_S
#define IP(x)                   vx_addr4(VX_BE32(x))
#define IP6(first, third, last) ((struct vx_addr){ .w = { VX_BE32(first), 0, VX_BE32(third), VX_BE32(last) } })
#define OUR_IP                  IP(0x0a00000aU) /* 10.0.0.10 */
#define PEER_IP                 IP(0x0a000014U) /* 10.0.0.20 */
#define LOW_IP                  IP(0x0a000009U) /* 10.0.0.9 */

static const uint64_t T0 = 1000 * S;

/* A started router: Backup at T0, or Active since T0 with an advert sent. */
static struct fsm backup(uint8_t version, uint8_t priority, bool preempt, uint64_t adver_ns)
{
	struct fsm f = { .version = version,
			 .priority = priority,
			 .down_adverts = 3,
			 .preempt = preempt,
			 .src = OUR_IP,
			 .adver_ns = adver_ns };
	struct fsm_event ev = { .type = FSM_EV_STARTUP, .at_ns = T0 };

	fsm_step(&f, &ev, T0);
	return f;
}

static struct fsm active(uint8_t version, uint8_t priority, bool preempt, uint64_t adver_ns)
{
	struct fsm f = backup(version, priority, preempt, adver_ns);
	struct fsm_event ev = { .type = FSM_EV_DOWN_TIMER, .at_ns = T0 };

	if (f.state == FSM_BACKUP)
		fsm_step(&f, &ev, T0);
	fsm_sent(&f, T0);
	return f;
}

static unsigned int simple(struct fsm *f, enum fsm_ev type, uint64_t now_ns)
{
	struct fsm_event ev = { .type = type, .at_ns = now_ns };

	return fsm_step(f, &ev, now_ns);
}

static unsigned int advert(struct fsm *f, uint8_t priority, struct vx_addr src, uint64_t adver_ns, uint64_t now_ns)
{
	struct fsm_event ev = {
		.type = FSM_EV_ADVERT, .priority = priority, .src = src, .adver_ns = adver_ns, .at_ns = now_ns
	};

	return fsm_step(f, &ev, now_ns);
}

static void owner_starts_as_active(void **state) /* FSM-I1 */
{
	struct fsm f = { .version = 3, .priority = 255, .preempt = true, .src = OUR_IP, .adver_ns = S };

	(void)state;
	assert_int_equal(simple(&f, FSM_EV_STARTUP, T0), FSM_ACT_ADVERT | FSM_ACT_CLAIM | FSM_ACT_ADVER_TIMER);
	assert_int_equal(f.state, FSM_ACTIVE);
	assert_int_equal(f.why, FSM_WHY_OWNER);
	assert_int_equal(f.adver_due_ns, T0 + S);
}

static void router_starts_as_backup_with_the_full_down_interval(void **state) /* FSM-I2 */
{
	struct fsm f = {
		.version = 3, .priority = 100, .down_adverts = 3, .preempt = true, .src = OUR_IP, .adver_ns = S
	};

	(void)state;
	assert_int_equal(simple(&f, FSM_EV_STARTUP, T0), FSM_ACT_ARM_DOWN);
	assert_int_equal(f.state, FSM_BACKUP);
	assert_int_equal(f.down_ns, T0 + 3609375000ULL);
	assert_int_equal(f.since_ns, T0);
}

static void version_2_skew_does_not_depend_on_the_interval(void **state) /* FSM-2 */
{
	struct fsm f = backup(2, 200, true, 5 * S);

	(void)state;
	assert_int_equal(f.down_ns, T0 + 15218750000ULL);
}

static void initialize_ignores_everything_but_startup(void **state) /* FSM-I3 */
{
	struct fsm f = {
		.version = 3, .priority = 100, .down_adverts = 3, .preempt = true, .src = OUR_IP, .adver_ns = S
	};

	(void)state;
	assert_int_equal(simple(&f, FSM_EV_SHUTDOWN, T0), 0);
	assert_int_equal(simple(&f, FSM_EV_DOWN_TIMER, T0), 0);
	assert_int_equal(simple(&f, FSM_EV_ADVER_TIMER, T0), 0);
	assert_int_equal(advert(&f, 200, PEER_IP, S, T0), 0);
	assert_int_equal(f.state, FSM_INITIALIZE);
}

static void backup_shuts_down_without_an_advert(void **state) /* FSM-B1 */
{
	struct fsm f = backup(3, 100, true, S);

	(void)state;
	assert_int_equal(simple(&f, FSM_EV_SHUTDOWN, T0 + S), FSM_ACT_CANCEL_DOWN);
	assert_int_equal(f.state, FSM_INITIALIZE);
	assert_int_equal(f.down_ns, 0);
}

static void backup_becomes_active_when_the_down_timer_fires(void **state) /* FSM-B2 */
{
	struct fsm f = backup(3, 100, true, S);

	(void)state;
	assert_int_equal(simple(&f, FSM_EV_DOWN_TIMER, T0 + 4 * S),
			 FSM_ACT_ADVERT | FSM_ACT_CLAIM | FSM_ACT_ADVER_TIMER);
	assert_int_equal(f.state, FSM_ACTIVE);
	assert_int_equal(f.why, FSM_WHY_NO_ADVERT);
	assert_int_equal(f.adver_due_ns, T0 + 5 * S);
	assert_int_equal(f.lease_ns, 0);
}

static void active_again_advertises_its_own_interval(void **state) /* FSM-B2, FSM-13 */
{
	struct fsm f = backup(3, 100, true, S);

	(void)state;
	advert(&f, 200, PEER_IP, 2 * S, T0);
	assert_int_equal(f.active_adver_ns, 2 * S);
	simple(&f, FSM_EV_DOWN_TIMER, T0 + 10 * S);
	assert_int_equal(f.adver_due_ns, T0 + 11 * S);
	assert_int_equal(f.active_adver_ns, S);
}

static void priority_0_leaves_backup_the_skew_of_the_running_interval(void **state) /* FSM-B3 */
{
	struct fsm f = backup(3, 100, true, S);

	(void)state;
	advert(&f, 200, PEER_IP, 2 * S, T0);
	assert_int_equal(advert(&f, 0, PEER_IP, 3 * S, T0 + S), FSM_ACT_ARM_DOWN);
	assert_int_equal(f.down_ns, T0 + S + 1218750000ULL);
	simple(&f, FSM_EV_DOWN_TIMER, f.down_ns);
	assert_int_equal(f.why, FSM_WHY_HANDOVER);
}

static void priority_0_counts_although_nopreempt(void **state) /* FSM-B3, KA-21 */
{
	struct fsm f = backup(3, 100, false, S);

	(void)state;
	assert_int_equal(advert(&f, 0, PEER_IP, S, T0 + S), FSM_ACT_ARM_DOWN);
	assert_int_equal(f.down_ns, T0 + S + 609375000ULL);
}

static void priority_0_of_another_than_the_active_router_is_no_goodbye(void **state) /* SEC-5 */
{
	struct fsm f = backup(3, 100, true, S);
	uint64_t down_ns;

	(void)state;
	advert(&f, 200, PEER_IP, S, T0);
	down_ns = f.down_ns;
	assert_int_equal(advert(&f, 0, IP(0x0a000015U), S, T0 + S), 0);
	assert_int_equal(f.down_ns, down_ns);
	assert_int_equal(f.active_priority, 200);
}

static void priority_0_leaves_backup_a_share_of_the_fast_handover(void **state) /* FSM-B3 */
{
	struct fsm f = backup(3, 150, true, S);

	(void)state;
	f.handover_ns = VX_NS_PER_MS;
	advert(&f, 200, PEER_IP, S, T0);
	assert_int_equal(advert(&f, 0, PEER_IP, S, T0 + S), FSM_ACT_ARM_DOWN);
	assert_int_equal(f.down_ns, T0 + S + 414063ULL);
}

static void a_new_priority_shifts_a_fast_handover_by_its_own_share(void **state) /* FSM-11 */
{
	struct fsm f = backup(3, 150, true, S);

	(void)state;
	f.handover_ns = VX_NS_PER_MS;
	advert(&f, 200, PEER_IP, S, T0);
	advert(&f, 0, PEER_IP, S, T0 + S);
	assert_int_equal(fsm_set_priority(&f, 100), 195312);
	assert_int_equal(f.down_ns, T0 + S + 609375);
}

static void a_learned_interval_is_bounded(void **state) /* SEC-9 */
{
	struct fsm f = backup(3, 100, true, S);

	(void)state;
	f.max_adver_ns = 2 * S;
	advert(&f, 200, PEER_IP, 40 * S, T0);
	assert_int_equal(f.active_adver_ns, 2 * S);
}

/* What the guardian has said for us is not taken back: another may be Active on the strength of it. */
static void an_active_that_was_fenced_hands_over(void **state)
{
	struct fsm f = active(3, 100, true, S);

	(void)state;
	assert_int_equal(simple(&f, FSM_EV_FENCED, T0 + S), FSM_ACT_RELEASE | FSM_ACT_PRIORITY_0 | FSM_ACT_ARM_DOWN);
	assert_int_equal(f.state, FSM_BACKUP);
	assert_int_equal(f.why, FSM_WHY_FENCED);
	assert_int_equal(f.lease_ns, 0);
	assert_int_equal(f.down_ns, T0 + S + 3609375000ULL);
	assert_int_equal(simple(&f, FSM_EV_FENCED, T0 + 2 * S), 0);
}

/* FSM-A4, of an advert that did not fit into the ring buffer */
static void an_active_whose_lease_the_kernel_has_ended_yields(void **state)
{
	struct fsm f = active(3, 100, true, S);

	(void)state;
	assert_int_equal(simple(&f, FSM_EV_BETTER, T0 + S), FSM_ACT_RELEASE | FSM_ACT_ARM_DOWN);
	assert_int_equal(f.state, FSM_BACKUP);
	assert_int_equal(f.why, FSM_WHY_HIGHER);
	assert_int_equal(simple(&f, FSM_EV_BETTER, T0 + 2 * S), 0);
}

static void backup_learns_the_interval_of_a_higher_priority(void **state) /* FSM-B4 */
{
	struct fsm f = backup(3, 100, true, S);

	(void)state;
	assert_int_equal(advert(&f, 101, PEER_IP, 2 * S, T0 + S), FSM_ACT_ARM_DOWN);
	assert_int_equal(f.down_ns, T0 + S + 7218750000ULL);
}

static void equal_priority_restarts_the_timer_whatever_its_address(void **state) /* FSM-B4, FSM-B6 */
{
	struct fsm f = backup(3, 100, true, S);

	(void)state;
	assert_int_equal(advert(&f, 100, LOW_IP, S, T0 + S), FSM_ACT_ARM_DOWN);
	assert_int_equal(f.down_ns, T0 + S + 3609375000ULL);
}

static void version_2_learns_no_interval(void **state) /* FSM-B4 */
{
	struct fsm f = backup(2, 100, true, S);

	(void)state;
	advert(&f, 200, PEER_IP, 7 * S, T0 + S);
	assert_int_equal(f.active_adver_ns, S);
	assert_int_equal(f.down_ns, T0 + S + 3609375000ULL);
}

static void backup_discards_lower_priority_advert_when_preempting(void **state) /* FSM-B5 */
{
	struct fsm f = backup(3, 100, true, S);
	uint64_t before = f.down_ns;

	(void)state;
	assert_int_equal(advert(&f, 99, PEER_IP, 2 * S, T0 + S), 0);
	assert_int_equal(f.down_ns, before);
	assert_int_equal(f.active_adver_ns, S);
}

static void nopreempt_backup_follows_a_lower_priority(void **state) /* FSM-B4, FSM-B6 */
{
	struct fsm f = backup(3, 100, false, S);

	(void)state;
	assert_int_equal(advert(&f, 1, PEER_IP, 2 * S, T0 + S), FSM_ACT_ARM_DOWN);
	assert_int_equal(f.active_adver_ns, 2 * S);
}

static void active_shuts_down_with_priority_0(void **state) /* FSM-A1 */
{
	struct fsm f = active(3, 100, true, S);

	(void)state;
	assert_int_equal(simple(&f, FSM_EV_SHUTDOWN, T0 + S), FSM_ACT_RELEASE | FSM_ACT_PRIORITY_0);
	assert_int_equal(f.state, FSM_INITIALIZE);
	assert_int_equal(f.lease_ns, 0);
}

static void active_advertises_at_its_interval_without_drift(void **state) /* FSM-A2 */
{
	struct fsm f = active(3, 100, true, S);

	(void)state;
	assert_int_equal(simple(&f, FSM_EV_ADVER_TIMER, T0 + S + 3 * MS), FSM_ACT_ADVERT | FSM_ACT_ADVER_TIMER);
	assert_int_equal(f.adver_due_ns, T0 + 2 * S);
}

static void late_adver_timer_does_not_make_up_for_missed_adverts(void **state) /* FSM-A2, FSM-15 */
{
	struct fsm f = active(3, 100, true, 10 * MS);

	(void)state;
	simple(&f, FSM_EV_ADVER_TIMER, T0 + 26 * MS);
	assert_int_equal(f.adver_due_ns, T0 + 36 * MS);
}

static void active_answers_priority_0_with_an_advert_and_restarts_its_timer(void **state) /* FSM-A3 */
{
	struct fsm f = active(3, 100, true, S);

	(void)state;
	assert_int_equal(advert(&f, 0, PEER_IP, S, T0 + 300 * MS), FSM_ACT_ADVERT | FSM_ACT_ADVER_TIMER);
	assert_int_equal(f.state, FSM_ACTIVE);
	assert_int_equal(f.adver_due_ns, T0 + 1300 * MS);
}

static void adver_timer_that_priority_0_has_moved_is_void(void **state) /* FSM-A3: both in one turn, after a stall */
{
	struct fsm f = active(3, 100, true, S);

	(void)state;
	assert_int_equal(advert(&f, 0, PEER_IP, S, T0 + 2 * S), FSM_ACT_ADVERT | FSM_ACT_ADVER_TIMER);
	assert_int_equal(simple(&f, FSM_EV_ADVER_TIMER, T0 + 2 * S), 0);
	assert_int_equal(f.adver_due_ns, T0 + 3 * S);
}

static void active_yields_to_a_higher_priority(void **state) /* FSM-A4 */
{
	struct fsm f = active(3, 100, true, S);

	(void)state;
	assert_int_equal(advert(&f, 101, LOW_IP, 2 * S, T0 + S), FSM_ACT_RELEASE | FSM_ACT_ARM_DOWN);
	assert_int_equal(f.state, FSM_BACKUP);
	assert_int_equal(f.why, FSM_WHY_HIGHER);
	assert_int_equal(f.active_adver_ns, 2 * S);
	assert_int_equal(f.down_ns, T0 + S + 7218750000ULL);
	assert_int_equal(f.lease_ns, 0);
}

static void active_yields_to_a_higher_priority_although_nopreempt(void **state) /* FSM-A6 */
{
	struct fsm f = active(3, 100, false, S);

	(void)state;
	advert(&f, 101, LOW_IP, S, T0 + S);
	assert_int_equal(f.state, FSM_BACKUP);
}

static void equal_priority_is_settled_by_the_greater_address(void **state) /* FSM-A4, FSM-A5, FSM-A7 */
{
	const struct {
		struct vx_addr greater, smaller;
	} pairs[] = {
		{ IP(0x0a000002), IP(0x09ffffff) }, /* 10.0.0.2 > 9.255.255.255 */
		{ IP(0x80000001), IP(0x7fffffff) }, /* no sign bit */
		{ IP(0x02000001), IP(0x01000002) }, /* fails if compared little-endian */
		{ IP(0xc000020a), IP(0xc0000209) }, /* 192.0.2.10 > 192.0.2.9: fails if compared as text */
		{ IP6(0xfe800000, 0, 2), IP6(0xfe800000, 0, 1) },
		{ IP6(0xfe800000, 1, 0), IP6(0xfe800000, 0, 0xffffffff) }, /* all sixteen bytes, the first ones first */
		{ IP6(0xfe800100, 0, 1), IP6(0xfe800000, 1, 1) },
	};
	struct fsm f;
	size_t i;

	(void)state;
	for (i = 0; i < VX_ARRAY_LEN(pairs); i++) {
		f = active(3, 100, true, S);
		f.src = pairs[i].smaller;
		advert(&f, 100, pairs[i].greater, S, T0 + S);
		assert_int_equal(f.state, FSM_BACKUP);
		assert_int_equal(f.why, FSM_WHY_GREATER);
		f = active(3, 100, true, S);
		f.src = pairs[i].greater;
		advert(&f, 100, pairs[i].smaller, S, T0 + S);
		assert_int_equal(f.state, FSM_ACTIVE);
	}
}

static void active_answers_a_lower_priority_at_once_without_touching_its_timer(void **state) /* FSM-A5, FSM-A6 */
{
	struct fsm f = active(3, 100, true, S);
	uint64_t due = f.adver_due_ns;

	(void)state;
	assert_int_equal(advert(&f, 99, PEER_IP, S, T0 + 300 * MS), FSM_ACT_ADVERT | FSM_ACT_ANSWER_LOWER);
	assert_int_equal(f.state, FSM_ACTIVE);
	assert_int_equal(f.adver_due_ns, due);
}

static void immediate_adverts_are_capped(void **state) /* FSM-A8, SEC-6 */
{
	struct fsm f = active(3, 100, true, 10 * S);
	unsigned int adverts = 0, announced = 0, act, i;

	(void)state;
	for (i = 0; i < 1000; i++) { /* one every millisecond for a second */
		act = advert(&f, 99, PEER_IP, S, T0 + i * MS);
		adverts += !!(act & FSM_ACT_ADVERT);
		announced += !!(act & FSM_ACT_ANSWER_LOWER);
	}
	assert_int_equal(adverts, 100);
	assert_int_equal(announced, 1);
}

static void lease_ends_an_eighth_of_an_interval_before_a_peer_may_speak(void **state)
{
	struct fsm f = active(3, 100, true, 80 * MS);

	(void)state;
	assert_int_equal(f.lease_ns, T0 + 230 * MS);
	fsm_sent(&f, T0 + 80 * MS);
	assert_int_equal(f.lease_ns, T0 + 310 * MS);
}

static void advert_that_a_backup_sent_extends_no_lease(void **state)
{
	struct fsm f = backup(3, 100, true, S);

	(void)state;
	fsm_sent(&f, T0);
	assert_int_equal(f.lease_ns, 0);
}

static void stalled_active_follows_the_router_that_took_over(void **state) /* SEC-29 */
{
	struct fsm f = active(3, 200, true, 100 * MS);

	(void)state;
	assert_int_equal(advert(&f, 100, PEER_IP, 100 * MS, T0 + 400 * MS), FSM_ACT_RELEASE | FSM_ACT_ARM_DOWN);
	assert_int_equal(f.state, FSM_BACKUP);
	assert_int_equal(f.why, FSM_WHY_STALLED);
}

static void lower_advert_before_the_lease_lapsed_changes_nothing_however_late_it_is_read(void **state) /* SEC-29 */
{
	struct fsm f = active(3, 200, true, 100 * MS);
	struct fsm_event ev = {
		.type = FSM_EV_ADVERT, .priority = 100, .src = PEER_IP, .adver_ns = 100 * MS, .at_ns = T0 + 100 * MS
	};

	(void)state;
	fsm_step(&f, &ev, T0 + 400 * MS);
	assert_int_equal(f.state, FSM_ACTIVE);
}

static void yielding_to_an_advert_read_late_counts_from_now(void **state)
{
	struct fsm f = active(3, 200, true, 100 * MS);
	struct fsm_event ev = {
		.type = FSM_EV_ADVERT, .priority = 201, .src = PEER_IP, .adver_ns = 100 * MS, .at_ns = T0 + 100 * MS
	};

	(void)state;
	fsm_step(&f, &ev, T0 + 6 * S); /* the events behind it may be lost */
	assert_int_equal(f.state, FSM_BACKUP);
	assert_int_equal(f.down_ns, T0 + 6 * S + 321875000);
}

static void stalled_active_that_nobody_replaced_announces_itself_anew(void **state)
{
	struct fsm f = active(3, 200, true, 100 * MS);

	(void)state;
	assert_int_equal(simple(&f, FSM_EV_ADVER_TIMER, T0 + 400 * MS),
			 FSM_ACT_ADVERT | FSM_ACT_ADVER_TIMER | FSM_ACT_ANNOUNCE);
	assert_int_equal(f.state, FSM_ACTIVE);
}

static void second_owner_with_the_greater_address_wins(void **state) /* FSM-10, SEC-17 */
{
	struct fsm f = active(3, 255, true, S);

	(void)state;
	advert(&f, 255, PEER_IP, S, T0 + S);
	assert_int_equal(f.state, FSM_BACKUP);
}

static void every_state_and_reason_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(fsm_state_name(FSM_INITIALIZE), "Initialize");
	assert_string_equal(fsm_state_name(FSM_BACKUP), "Backup");
	assert_string_equal(fsm_state_name(FSM_ACTIVE), "Active");
	for (int w = FSM_WHY_NOT_STARTED; w <= FSM_WHY_SHUTDOWN; w++)
		assert_string_not_equal(fsm_why_name(w), "?");
}

/* KA-26 */
static void a_member_of_a_sync_group_yields_without_a_word(void **state)
{
	struct fsm f = active(3, 100, true, S);
	unsigned int act = simple(&f, FSM_EV_SYNC_BACKUP, T0 + S);

	(void)state;
	assert_int_equal(f.state, FSM_BACKUP);
	assert_int_equal(act, FSM_ACT_RELEASE | FSM_ACT_ARM_DOWN);
	assert_int_equal(f.why, FSM_WHY_SYNC);
	assert_int_equal(simple(&f, FSM_EV_SYNC_BACKUP, T0 + S), 0);
}

/* KA-25 */
static void a_member_that_times_out_alone_waits_again(void **state)
{
	struct fsm f = backup(3, 100, true, S);

	(void)state;
	assert_int_equal(simple(&f, FSM_EV_SYNC_WAIT, T0 + 9 * S), FSM_ACT_ARM_DOWN);
	assert_int_equal(f.state, FSM_BACKUP);
	assert_int_equal(f.down_ns, T0 + 9 * S + decide_down_ns(3, 100, 3, S));
}

/* KA-27 */
static void an_owner_among_others_starts_as_backup(void **state)
{
	struct fsm f = { .version = 3, .priority = 255, .down_adverts = 3, .src = OUR_IP, .adver_ns = S };

	(void)state;
	f.starts_backup = true;
	simple(&f, FSM_EV_STARTUP, T0);
	assert_int_equal(f.state, FSM_BACKUP);
}

/* FSM-11, and 4.1 of keepalived's rules: the timer moves by the change of Skew_Time. */
static void a_new_priority_shifts_the_running_timer(void **state)
{
	struct fsm f = backup(3, 100, true, S), a = active(3, 100, true, S);
	uint64_t before = f.down_ns;
	int64_t shift = fsm_set_priority(&f, 228);

	(void)state;
	assert_int_equal(shift, -(int64_t)(S / 2));
	assert_int_equal(f.down_ns, before - S / 2);
	assert_int_equal(f.priority, 228);
	assert_int_equal(fsm_set_priority(&f, 100), (int64_t)(S / 2));
	assert_int_equal(fsm_set_priority(&a, 50), 0);
	assert_int_equal(a.priority, 50);
}

/* KA-11, KA-12 */
static void answers_to_other_priorities_are_as_configured(void **state)
{
	struct fsm f = active(3, 100, true, S);

	(void)state;
	f.lower_prio_no_advert = true;
	assert_int_equal(advert(&f, 90, PEER_IP, S, T0 + S), FSM_ACT_ANSWER_LOWER);
	f.higher_prio_send_advert = true;
	assert_int_equal(advert(&f, 110, PEER_IP, S, T0 + S), FSM_ACT_RELEASE | FSM_ACT_ARM_DOWN | FSM_ACT_ADVERT);
	assert_int_equal(f.state, FSM_BACKUP);
	f = active(3, 255, true, S);
	f.ignore_adverts = true;
	assert_int_equal(advert(&f, 255, PEER_IP, S, T0 + S), 0);
	assert_int_equal(f.state, FSM_ACTIVE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(owner_starts_as_active),
		cmocka_unit_test(router_starts_as_backup_with_the_full_down_interval),
		cmocka_unit_test(version_2_skew_does_not_depend_on_the_interval),
		cmocka_unit_test(initialize_ignores_everything_but_startup),
		cmocka_unit_test(backup_shuts_down_without_an_advert),
		cmocka_unit_test(backup_becomes_active_when_the_down_timer_fires),
		cmocka_unit_test(active_again_advertises_its_own_interval),
		cmocka_unit_test(priority_0_leaves_backup_the_skew_of_the_running_interval),
		cmocka_unit_test(priority_0_counts_although_nopreempt),
		cmocka_unit_test(backup_learns_the_interval_of_a_higher_priority),
		cmocka_unit_test(equal_priority_restarts_the_timer_whatever_its_address),
		cmocka_unit_test(version_2_learns_no_interval),
		cmocka_unit_test(backup_discards_lower_priority_advert_when_preempting),
		cmocka_unit_test(nopreempt_backup_follows_a_lower_priority),
		cmocka_unit_test(active_shuts_down_with_priority_0),
		cmocka_unit_test(active_advertises_at_its_interval_without_drift),
		cmocka_unit_test(late_adver_timer_does_not_make_up_for_missed_adverts),
		cmocka_unit_test(active_answers_priority_0_with_an_advert_and_restarts_its_timer),
		cmocka_unit_test(adver_timer_that_priority_0_has_moved_is_void),
		cmocka_unit_test(active_yields_to_a_higher_priority),
		cmocka_unit_test(active_yields_to_a_higher_priority_although_nopreempt),
		cmocka_unit_test(equal_priority_is_settled_by_the_greater_address),
		cmocka_unit_test(active_answers_a_lower_priority_at_once_without_touching_its_timer),
		cmocka_unit_test(immediate_adverts_are_capped),
		cmocka_unit_test(lease_ends_an_eighth_of_an_interval_before_a_peer_may_speak),
		cmocka_unit_test(advert_that_a_backup_sent_extends_no_lease),
		cmocka_unit_test(stalled_active_follows_the_router_that_took_over),
		cmocka_unit_test(lower_advert_before_the_lease_lapsed_changes_nothing_however_late_it_is_read),
		cmocka_unit_test(yielding_to_an_advert_read_late_counts_from_now),
		cmocka_unit_test(stalled_active_that_nobody_replaced_announces_itself_anew),
		cmocka_unit_test(second_owner_with_the_greater_address_wins),
		cmocka_unit_test(every_state_and_reason_has_a_name),
		cmocka_unit_test(a_member_of_a_sync_group_yields_without_a_word),
		cmocka_unit_test(a_member_that_times_out_alone_waits_again),
		cmocka_unit_test(an_owner_among_others_starts_as_backup),
		cmocka_unit_test(priority_0_of_another_than_the_active_router_is_no_goodbye),
		cmocka_unit_test(priority_0_leaves_backup_a_share_of_the_fast_handover),
		cmocka_unit_test(a_learned_interval_is_bounded),
		cmocka_unit_test(a_new_priority_shifts_a_fast_handover_by_its_own_share),
		cmocka_unit_test(an_active_that_was_fenced_hands_over),
		cmocka_unit_test(an_active_whose_lease_the_kernel_has_ended_yields),
		cmocka_unit_test(a_new_priority_shifts_the_running_timer),
		cmocka_unit_test(answers_to_other_priorities_are_as_configured),
	};

	return cmocka_run_group_tests_name("fsm", tests, NULL, NULL);
}
