// SPDX-License-Identifier: GPL-2.0-or-later
#include "prio.h"

enum { PRIO_OWNER = 255, FILE_MAX_PRIO = 253, FILE_FAULT = -254 };

void prio_add(struct prio *p, bool ok, int weight, bool reverse)
{
	if (weight == 0)
		p->fault |= ok == reverse;
	else if (weight > 0)
		p->sum += ok ? (reverse ? -weight : weight) : 0;
	else
		p->sum += ok ? 0 : (reverse ? -weight : weight);
}

void prio_add_file(struct prio *p, int value, int weight, bool reverse)
{
	int64_t n = (int64_t)value * weight * (reverse ? -1 : 1);

	if (weight == 0)
		p->fault |= (value != 0) != reverse;
	else if (n <= FILE_FAULT)
		p->fault = true;
	else
		p->sum += n > FILE_MAX_PRIO ? FILE_MAX_PRIO : (int)n;
}

void prio_add_unknown(struct prio *p, int weight)
{
	p->waiting |= weight == 0;
}

uint8_t prio_effective(const struct prio *p, uint8_t base)
{
	int n = base + p->sum;

	if (base == PRIO_OWNER)
		return base;
	return n < 1 ? 1 : n > PRIO_OWNER - 1 ? PRIO_OWNER - 1 : n;
}
