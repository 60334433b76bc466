// SPDX-License-Identifier: GPL-2.0-or-later
/* sim [--from SEED] [--failovers N] [--mutate NAME | --mutants], sim --seed SEED [--trace] [--mutate NAME] */
#include "sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MUTANT_FAILOVERS = 300000 };

static const struct {
	const char *name, *what;
} mutants[] = {
#define MUTANT_ROW(id, name, what) [MUTANT_##id] = { name, what },
	MUTANTS(MUTANT_ROW)
#undef MUTANT_ROW
};

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Seeds from @seed on until there were @failovers, or a check fails. */
static bool run(uint64_t seed, uint64_t failovers)
{
	memset(&sim.stats, 0, sizeof(sim.stats));
	do
		episode(seed++);
	while (!sim.failure[0] && sim.stats.failovers < failovers);
	return !sim.failure[0];
}

static void report(double cpu_s)
{
	const struct stats *t = &sim.stats;

	printf("%" PRIu64 " failovers (%" PRIu64 " after silence, %" PRIu64 " after priority 0) in %" PRIu64
	       " episodes of %.0f s, %" PRIu64 " rounds of faults, %" PRIu64
	       " events, each followed by all checks: %.1f s\n",
	       t->failovers, t->silent, t->handovers, t->episodes, t->virtual_ns / 1e9, t->rounds, t->events, cpu_s);
	printf("not counted: %" PRIu64 " preemptions, %" PRIu64 " with no Active Router known; two answered %" PRIu64
	       " times\n",
	       t->preemptions, t->first, t->doubles);
}

static int replay(uint64_t seed)
{
	episode(seed);
	if (!sim.failure[0])
		return 0;
	printf("seed %" PRIu64 ": %s\n", seed, sim.failure);
	return 1;
}

static int search(uint64_t from, uint64_t failovers, const char *name)
{
	double start_s = seconds();

	if (run(from, failovers)) {
		report(seconds() - start_s);
		return 0;
	}
	printf("seed %" PRIu64 ", at %.6f ms: %s\nto see it: build/tests/sim --seed %" PRIu64 " --trace%s%s\n",
	       sim.seed, (sim.now_ns - 1000 * S) / 1e6, sim.failure, sim.seed, name ? " --mutate " : "",
	       name ? name : "");
	return 1;
}

static int hunt(uint64_t from)
{
	int missed = 0;
	size_t i;

	for (i = 1; i < VX_ARRAY_LEN(mutants); i++) {
		double start_s = seconds();

		mutant = i;
		if (run(from, MUTANT_FAILOVERS)) {
			printf("%-18s NOT FOUND in %" PRIu64 " failovers: %s\n", mutants[i].name, sim.stats.failovers,
			       mutants[i].what);
			missed = 1;
			continue;
		}
		printf("%-18s found after %.2f s, seed %" PRIu64 ", %" PRIu64 " failovers: %s\n", mutants[i].name,
		       seconds() - start_s, sim.seed, sim.stats.failovers, sim.failure);
	}
	return missed;
}

static bool choose(const char *name)
{
	size_t i;

	for (i = 1; i < VX_ARRAY_LEN(mutants); i++)
		if (!strcmp(mutants[i].name, name))
			mutant = i;
	return mutant != MUTANT_NONE;
}

int main(int argc, char *argv[])
{
	uint64_t seed = 0, from = 1, failovers = 1000000;
	const char *name = NULL;
	bool all = false;
	int i;

	for (i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (!strcmp(argv[i], "--trace"))
			sim.trace = true;
		else if (!strcmp(argv[i], "--mutants"))
			all = true;
		else if (!strcmp(argv[i], "--seed"))
			seed = strtoull(argv[++i] ? value : "0", NULL, 0);
		else if (!strcmp(argv[i], "--from"))
			from = strtoull(argv[++i] ? value : "1", NULL, 0);
		else if (!strcmp(argv[i], "--failovers"))
			failovers = strtoull(argv[++i] ? value : "1", NULL, 0);
		else if (!strcmp(argv[i], "--mutate") && choose(value))
			name = argv[++i];
		else {
			fprintf(stderr,
				"usage: %s [--from SEED] [--failovers N] [--mutate NAME | --mutants]\n"
				"       %s --seed SEED [--trace] [--mutate NAME]\n",
				argv[0], argv[0]);
			return 2;
		}
	}
	setvbuf(stdout, NULL, sim.trace ? _IOFBF : _IOLBF, 1 << 16);
	return all ? hunt(from) : seed ? replay(seed) : search(from, failovers, name);
}
