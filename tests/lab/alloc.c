// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Preloaded, counts what a process asks the C library for: memory, and mappings. The counts of each process that inherits it are in
 * the file that VX_ALLOC_COUNTS names, as lines of 64-bit numbers that others may read at any time: its id, then one per enum what.
 * A fork begins a line of its own.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum what { PID, MALLOC, CALLOC, REALLOC, MEMALIGN, FREE, MMAP, BRK, COLUMNS };
enum { LINES = 64 };

/* The C library's own, as it has no others to be found behind these. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *p);

static uint64_t (*lines)[COLUMNS]; /* shared */
static uint64_t *own;              /* NULL: not counted */

static void count(enum what what)
{
	if (own)
		__atomic_fetch_add(&own[what], 1, __ATOMIC_RELAXED);
}

/* A process has one line even if there are more than that have room: the last is then nobody's. */
static void begin(void)
{
	uint64_t none;
	int i;

	own = NULL;
	for (i = 0; lines && !own && i < LINES; i++) {
		none = 0;
		if (__atomic_compare_exchange_n(&lines[i][PID], &none, getpid(), 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			own = lines[i];
	}
}

__attribute__((constructor)) static void start(void)
{
	const char *path = getenv("VX_ALLOC_COUNTS");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p;

	if (fd < 0)
		return;
	p = mmap(NULL, sizeof(*lines) * LINES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return;
	lines = p;
	begin();
	pthread_atfork(NULL, NULL, begin);
}

static void *next(const char *name)
{
	void *fn = dlsym(RTLD_NEXT, name);

	if (!fn)
		abort();
	return fn;
}

void *malloc(size_t size)
{
	count(MALLOC);
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	count(CALLOC);
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	count(REALLOC);
	return __libc_realloc(p, size);
}

void *reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	count(REALLOC);
	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_realloc(p, bytes);
}

void *memalign(size_t align, size_t size)
{
	count(MEMALIGN);
	return __libc_memalign(align, size);
}

void *aligned_alloc(size_t align, size_t size)
{
	count(MEMALIGN);
	return __libc_memalign(align, size);
}

int posix_memalign(void **p, size_t align, size_t size)
{
	count(MEMALIGN);
	*p = __libc_memalign(align, size);
	return *p ? 0 : ENOMEM;
}

void free(void *p)
{
	if (p)
		count(FREE);
	__libc_free(p);
}

void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	static void *(*real)(void *, size_t, int, int, int, off_t);

	if (!real)
		*(void **)&real = next("mmap");
	count(MMAP);
	return real(addr, len, prot, flags, fd, offset);
}

int munmap(void *addr, size_t len)
{
	static int (*real)(void *, size_t);

	if (!real)
		*(void **)&real = next("munmap");
	count(MMAP);
	return real(addr, len);
}

int brk(void *addr)
{
	static int (*real)(void *);

	if (!real)
		*(void **)&real = next("brk");
	count(BRK);
	return real(addr);
}

void *sbrk(intptr_t more)
{
	static void *(*real)(intptr_t);

	if (!real)
		*(void **)&real = next("sbrk");
	count(BRK);
	return real(more);
}
