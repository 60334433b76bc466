/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lease, adverts, takeover and the guardian's fence of N routers on one link; tests/model/run checks it, docs/lease.md says what that
 * proves. Routers are numbered by rank: the greater number is the better router (priority, then address).
 *
 * Time: one tick is 1/8 interval. All conditions on time are closed: a router still answers in the tick in which its lease ends, and a timer
 * fires in the tick in which it is due, so a lease as long as the peer's patience is an error. Between two ticks things happen in any order;
 * the routers take turns, as often as they like, which loses no order that matters: they touch each other by frames only.
 * An advert takes 0 to D ticks. A controller that is not suspended does in the same tick all that is due.
 *
 * Faults, at most FAULTS of them, each as long as it likes and at any step: a link that loses everything in one direction; a controller that is
 * suspended, and then goes on or is killed and started again; a guardian suspended before its fence or between fence and last will; a frame
 * that cannot be sent; a planned stop, then a start.
 *
 * What must hold:
 * TAKEOVER  When ActiveDown of a router ends, no router answers whose last advert it has heard and had to honour. (When it ends early,
 *           because of a priority 0: the router that it took for the Active one does not answer.)
 * PROMPT    At the end of a tick no router answers that is not suspended and has been reached by the last advert of a better one that answers.
 *           So two that hear each other answer both for one delay, if the better one came; and for two (there and back), if the worse one did.
 * STRICT    The same for suspended ones. Needs KERNEL_FENCE, and is an error without.
 * CALM      CALM ticks after the last fault exactly one router answers.
 * Nothing gets stuck (Spin's invalid end states).
 *
 * "Has heard the last advert": it was delivered while the receiver was not in Initialize, and the sender has sent none since. Where that is
 * not so, the RFC itself lets two routers be Active.
 */

#ifndef N /* routers */
#define N 2
#endif
#ifndef D /* longest delay */
#define D 1
#endif
#ifndef SLOTS /* frames on the way from one router to another; who sends more waits */
#define SLOTS 2
#endif
#ifndef INTERVAL
#define INTERVAL 8
#endif
#ifndef SKEW /* Skew_Time per rank; FRR truncates it to 0 at short intervals */
#define SKEW 0
#endif
#ifndef HANDOVER /* ... after a priority 0, per rank; 0: fast hand-over */
#define HANDOVER 0
#endif
#ifndef PREEMPT /* 0: also what equal priorities do */
#define PREEMPT 1
#endif
#ifndef GUARD
#define GUARD 1
#endif
#ifndef KERNEL_FENCE /* the XDP program fences on a better router's advert, and a claim is told the kernel before it is spoken */
#define KERNEL_FENCE 0
#endif
/* mutations */
#ifndef LONGER
#define LONGER 0
#endif

#ifndef FAULTS
#define FAULTS 2
#endif
#ifndef HEAR_FIRST
#define HEAR_FIRST true
#endif
#ifndef RENEW_OVER
#define RENEW_OVER false
#endif

#define LEASE (3 * INTERVAL - 1 + LONGER)
#define DOWN(i) (3 * INTERVAL + SKEW * (N - 1 - (i)))
#define HAND(i) (HANDOVER * (N - 1 - (i)))

#define INITIALIZE 0
#define BACKUP 1
#define ACTIVE 2

/* the role word: what the kernel goes by; above W_LAPSED the lease runs, for word - 3 more ticks */
#define W_INIT 0
#define W_BACKUP 1
#define W_LAPSED 2
#define answers(i) (word[i] > W_LAPSED)

/* where the controller is in its turn; it can be suspended at each */
#define IDLE 0
#define SPEAK 1   /* decided to send an advert, as Active or to become it */
#define STAMPED 2 /* has taken the time from which the lease counts */
#define SENT 3    /* the advert has left, the role word is not written */
#define CEASE 4   /* ActiveDown is armed, the role word not yet Backup */
#define LEAVE 5   /* role word Initialize, priority 0 not sent */

/* a frame on the way: its kind plus its age in ticks */
#define NONE 0
#define ADVERT 1
#define PRIO0 (D + 2)
#define is_adv(m) ((m) != NONE && (m) < PRIO0)

#define honours(i, j) ((j) > (i) || !PREEMPT)

/*
 * down: Backup: ticks until ActiveDown ends, plus 1; Active: what that would be, counted from the newest event not read, 0 when it is older than
 * an interval. stamp: ticks left of the lease to be, plus 1. will: the guardian: 0 content, 1 has seen that it must fence, 2 has fenced and
 * owes the last will. seen: nobody else has written the role word since the controller looked. evLate: an advert of a worse router that came
 * behind the lease.
 */
byte st[N], pc[N], word[N], down[N], due[N], stamp[N], will[N];
bit frozen[N], slow[N], cut[N * N];
byte faults, calm;
bit evH[N], evL[N], evLate[N], evP[N], seen[N];
#if N > 2
byte cur[N];
bit hand[N];
#define BY_HAND(i, v) hand[i] = v
#define IN_QUESTION(i, j) (!hand[i] || cur[i] == (j))
#ifdef ANYONE
#define FROM_ACTIVE(i, j) true
#else
#define FROM_ACTIVE(i, j) (cur[i] == (j) || cur[i] == N)
#endif
#define SET_CUR(i, j) cur[i] = j
#else
#define FROM_ACTIVE(i, j) true
#define SET_CUR(i, j) skip
#define BY_HAND(i, v) skip
#define IN_QUESTION(i, j) true
#endif
byte m1[N * N];
#if SLOTS > 1
byte m2[N * N];
#define FREE(c) (m2[c] == NONE)
#define LAST(c) (!is_adv(m1[c]))
#else
#define FREE(c) (m1[c] == NONE)
#define LAST(c) true
#endif
bit heard[N * N];
#define CH(i, j) ((i) * N + (j))
byte t; /* whose turn it is */

hidden byte i, j, k;

#if N == 2
#define ROOM FREE(CH(t, 1 - t))
#define LINKS(p) (p(CH(0,1)) && p(CH(1,0)))
#define ALL(p) (p(0) && p(1))
#define ANSWERING (answers(0) + answers(1))
#else
#define ROOM (FREE(CH(t, (t + 1) % 3)) && FREE(CH(t, (t + 2) % 3)))
#define ALL(p) (p(0) && p(1) && p(2))
#define ANSWERING (answers(0) + answers(1) + answers(2))
#define LINKS(p) (p(CH(0,1)) && p(CH(1,0)) && p(CH(0,2)) && p(CH(2,0)) && p(CH(1,2)) && p(CH(2,1)))
#endif

#define quiet_link(c) (m1[c] != ADVERT + D && m1[c] != PRIO0 + D)
#define events(i) (evH[i] || evL[i] || evLate[i] || evP[i])
#define prompt(i) (!frozen[i] && pc[i] == IDLE && !(st[i] == ACTIVE && (events(i) || due[i] == 0)) && \
		!(st[i] == BACKUP && down[i] == 1))
#define settled(i) ((frozen[i] || prompt(i)) && (slow[i] || will[i] == 0))
#define well(i) (!frozen[i] && st[i] != INITIALIZE && will[i] == 0)
#define whole(c) (!cut[c])

inline put(c, m) {
#if SLOTS > 1
	if
	:: m1[c] == NONE -> m1[c] = m
	:: else -> m2[c] = m
	fi
#else
	m1[c] = m
#endif
}

inline send(m) {
	for (j : 0 .. N - 1) {
		if
		:: j != t ->
			if
			:: !cut[CH(t, j)] -> put(CH(t, j), m)
			:: else
			fi;
			if
			:: m == ADVERT -> heard[CH(t, j)] = 0
			:: else
			fi
		:: else
		fi
	}
}

inline take(c) {
#if SLOTS > 1
	m1[c] = m2[c]; m2[c] = NONE
#else
	m1[c] = NONE
#endif
}

inline no_events() { evH[t] = 0; evL[t] = 0; evLate[t] = 0; evP[t] = 0 }

inline from_event() { down[t] = (down[t] == 0 -> DOWN(t) + 1 : down[t]) }

inline from_now() { down[t] = DOWN(t) + 1; BY_HAND(t, 0); SET_CUR(t, k) }

/* What the XDP program does, also when no controller is alive. */
inline hear_advert() {
	heard[CH(k, t)] = (word[t] != W_INIT && LAST(CH(k, t)));
	if
	:: word[t] == W_INIT
	:: word[t] == W_BACKUP && honours(t, k) ->
		from_now();
		if
		:: st[t] == ACTIVE -> evH[t] = (evH[t] || k > t); evL[t] = (!evH[t])
		:: else
		fi
	:: word[t] == W_BACKUP && !honours(t, k)
	:: word[t] >= W_LAPSED ->
		if
		:: k > t -> evH[t] = 1; evL[t] = 0; evLate[t] = 0; evP[t] = 0; from_now()
		:: k < t && (evH[t] || evLate[t] || pc[t] == CEASE) ->
			if
			:: !PREEMPT -> evP[t] = 0; evH[t] = 1; from_now()
			:: else
			fi
		:: k < t && !(evH[t] || evLate[t] || pc[t] == CEASE) ->
			evLate[t] = (word[t] == W_LAPSED); evL[t] = (word[t] != W_LAPSED); evP[t] = 0; from_now()
		fi;
#if KERNEL_FENCE
		if
		:: k > t -> word[t] = W_LAPSED; seen[t] = 0; will[t] = (will[t] == 1 -> 0 : will[t]);
			slow[t] = (will[t] == 0 -> 0 : slow[t])
		:: else
		fi
#endif
	fi
}

inline hear_prio0() {
	if
	:: word[t] == W_BACKUP && st[t] != ACTIVE && FROM_ACTIVE(t, k) -> down[t] = HAND(t) + 1; BY_HAND(t, 1)
	:: word[t] >= W_LAPSED && (FROM_ACTIVE(t, k) || !(evH[t] || evLate[t] || pc[t] == CEASE)) -> evP[t] = 1
	:: else
	fi
}

inline hear() {
	if
	:: is_adv(m1[CH(k, t)]) -> take(CH(k, t)); hear_advert()
	:: else -> take(CH(k, t)); hear_prio0()
	fi
}

/* TAKEOVER */
inline check_claim() {
	for (j : 0 .. N - 1) {
		if
		:: j != t -> assert(!(answers(j) && heard[CH(j, t)] && honours(t, j) && IN_QUESTION(t, j)))
		:: else
		fi
	}
}

/* The controller wrote the role word: a fence by compare-and-swap fails, and a last will that is not out yet is dropped. */
inline written() {
#ifndef NO_CAS
	will[t] = (will[t] == 1 -> 0 : will[t]);
#endif
#ifndef LATE_WILL
	will[t] = (will[t] == 2 -> 0 : will[t]);
#endif
	slow[t] = (will[t] == 0 -> 0 : slow[t])
}

/* A fence is acknowledged before it is spoken: the word changes, although it still says lapsed. */
inline speak() {
	if
	:: word[t] == W_LAPSED -> written()
	:: else
	fi;
	seen[t] = 1; pc[t] = SPEAK
}

inline not_sent() {
#ifdef FAILED_EXTENDS
	pc[t] = SENT
#else
	stamp[t] = 0; pc[t] = (word[t] == W_BACKUP -> SENT : IDLE); seen[t] = (word[t] == W_BACKUP)
#endif
}

/* By compare-and-swap: fails if somebody fenced since the controller looked. */
inline store() {
	if
	:: word[t] == W_BACKUP || seen[t] || RENEW_OVER ->
		word[t] = 2 + stamp[t]; written();
		if
		:: stamp[t] > 0 && evLate[t] -> evL[t] = 1; evLate[t] = 0
		:: else
		fi
	:: else
	fi;
	seen[t] = 0; stamp[t] = 0; pc[t] = IDLE
}


inline cease() {
	word[t] = W_BACKUP; written();
	if
	:: evP[t] -> down[t] = HAND(t) + 1; BY_HAND(t, 1)
	:: !evP[t] && evH[t] -> from_event()
	:: else
	fi;
	no_events();
	pc[t] = IDLE
}

#define both(i, j) (answers(i) && answers(j))
inline check() {
#ifdef CALM
	calm = (faults == FAULTS && ALL(well) && LINKS(whole) -> calm + (calm < CALM) : 0);
	assert(calm < CALM || ANSWERING == 1);
#endif
	for (i : 0 .. N - 1) {
		for (j : 0 .. N - 1) {
			if
			:: i < j && both(i, j) ->
				assert(!(heard[CH(j, i)] && prompt(i)));
#if defined(STRICT) || KERNEL_FENCE
				assert(!(heard[CH(j, i)]));
#endif
				skip
			:: else
			fi
		}
	}
}

inline older(m) { m = (m != NONE -> m + 1 : NONE) }
inline tick() {
	for (i : 0 .. N - 1) {
		word[i] = (word[i] > W_LAPSED -> word[i] - 1 : word[i]);
		down[i] = (down[i] > 1 -> down[i] - 1 : down[i]);
		down[i] = (st[i] == ACTIVE && down[i] < DOWN(i) + 1 - INTERVAL -> 0 : down[i]);
		due[i] = (due[i] > 0 -> due[i] - 1 : 0);
		stamp[i] = (stamp[i] > 0 -> stamp[i] - 1 : 0);
		for (j : 0 .. N - 1) {
			older(m1[CH(i, j)]);
#if SLOTS > 1
			older(m2[CH(i, j)])
#endif
		}
	}
}

#define at(p) (!frozen[t] && pc[t] == p)
#define idle(s) (at(IDLE) && st[t] == s)
#define quiet_in (quiet_link(CH((t + 1) % N, t)) && quiet_link(CH((t + 2) % N, t)))
#define may_pass (quiet_in && (frozen[t] || !ROOM || (pc[t] == IDLE && !(st[t] == ACTIVE && events(t)))))
#define to_send (at(STAMPED) || at(LEAVE) || will[t] == 2)
#ifdef CALM
#define HEALS (to_send || !FAULT)
#else
#define HEALS to_send
#endif
#define has_work (pc[t] != IDLE || down[t] == 1 || (st[t] == ACTIVE && (due[t] == 0 || events(t) || GUARD)))
#define FAULT (faults < FAULTS)
#define FAULTED faults++


init {
	d_step {
		for (i : 0 .. N - 1) {
			st[i] = BACKUP; word[i] = W_BACKUP; down[i] = DOWN(i) + 1; SET_CUR(i, N)
		}
	}
	do
	/* network */
	:: d_step { m1[CH((t + 1) % N, t)] != NONE -> k = (t + 1) % N; hear(); skip }
#if N > 2
	:: d_step { m1[CH((t + 2) % N, t)] != NONE -> k = (t + 2) % N; hear(); skip }
#endif
	:: d_step { FAULT && to_send && !cut[CH(t, (t + 1) % N)] -> FAULTED; cut[CH(t, (t + 1) % N)] = 1 }
	:: d_step { HEALS && cut[CH(t, (t + 1) % N)] -> cut[CH(t, (t + 1) % N)] = 0 }
#if N > 2
	:: d_step { FAULT && to_send && !cut[CH(t, (t + 2) % N)] -> FAULTED; cut[CH(t, (t + 2) % N)] = 1 }
	:: d_step { HEALS && cut[CH(t, (t + 2) % N)] -> cut[CH(t, (t + 2) % N)] = 0 }
#endif
	/* controller */
	:: d_step { idle(ACTIVE) && (evH[t] || evLate[t]) -> from_event(); due[t] = 0;
		down[t] = (evP[t] -> HAND(t) + 1 : down[t]); BY_HAND(t, evP[t]); st[t] = BACKUP; no_events(); pc[t] = CEASE }
	:: d_step { idle(ACTIVE) && !evH[t] && !evLate[t] && (evL[t] || evP[t]) ->
		due[t] = (evP[t] -> INTERVAL : due[t]); no_events(); down[t] = 0; speak(); skip }
	:: d_step { idle(ACTIVE) && due[t] == 0 && !(word[t] == W_LAPSED && events(t) && HEAR_FIRST) ->
		due[t] = INTERVAL; speak(); skip }
	:: d_step { idle(BACKUP) && down[t] == 1 ->
#if KERNEL_FENCE
		word[t] = W_LAPSED; seen[t] = 1; written();
#endif
		check_claim(); BY_HAND(t, 0); st[t] = ACTIVE; down[t] = 0; due[t] = INTERVAL; SET_CUR(t, N); pc[t] = SPEAK }
	:: d_step { at(SPEAK) -> stamp[t] = LEASE + 1; pc[t] = STAMPED }
	:: d_step { at(STAMPED) && ROOM -> send(ADVERT); pc[t] = SENT }
	:: d_step { FAULT && at(STAMPED) -> FAULTED; not_sent(); skip }
	:: d_step { at(SENT) ->
#ifdef STAMP_LATE
		stamp[t] = LEASE + 1;
#endif
		store(); skip }
	:: d_step { at(CEASE) -> cease(); skip }
	/* planned stop */
	:: d_step { FAULT && idle(ACTIVE) -> FAULTED;
		word[t] = W_INIT; written(); st[t] = INITIALIZE; down[t] = 0; due[t] = 0; no_events(); pc[t] = LEAVE }
	:: d_step { at(LEAVE) && ROOM -> send(PRIO0); pc[t] = IDLE }
	/* stopped or killed */
	:: d_step { FAULT && !frozen[t] && has_work -> FAULTED; frozen[t] = 1 }
	:: d_step { frozen[t] -> frozen[t] = 0 }
	:: d_step { frozen[t] || (st[t] == INITIALIZE && pc[t] == IDLE) -> frozen[t] = 0; st[t] = BACKUP; word[t] = W_BACKUP; written();
		down[t] = DOWN(t) + 1; BY_HAND(t, 0); due[t] = 0; no_events(); seen[t] = 0; stamp[t] = 0; SET_CUR(t, N); pc[t] = IDLE }
#if GUARD
	/* the guardian: it need not look at once, but does not dawdle between look, fence and will unless it is slow */
	:: d_step { will[t] == 0 && answers(t) && (frozen[t] || word[t] <= LEASE + 2 - INTERVAL) -> will[t] = 1 }
	:: d_step { FAULT && will[t] != 0 && !slow[t] -> FAULTED; slow[t] = 1 }
	:: d_step { will[t] == 1 -> word[t] = W_LAPSED; seen[t] = 0; will[t] = 2 }
	:: d_step { will[t] == 2 && ROOM -> will[t] = 0; slow[t] = 0; send(PRIO0); skip }
#endif
	:: d_step { t < N - 1 && may_pass -> t++ }
	:: d_step { t == N - 1 && may_pass -> t = 0 }
	:: d_step { t == 0 && ALL(settled) && LINKS(quiet_link) -> check(); tick(); skip }
	od
}
