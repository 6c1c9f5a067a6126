/* Solves the `wagner` puzzle as somebody would who wants to be quick: what a page is compared with.
 *
 * BLAKE2s in as many lanes as the processor has, lists cut into 512 buckets that are written in order and each fit
 * into the first cache, pairs found there by chains whose ends no processor has to guess. Threads share nothing.
 *
 *     cc -O3 -march=native -pthread solver.c -o solver && ./solver SEED_HEX FIRST_NONCE NONCES THREADS
 *
 * Prints every piece found, one a line, and on the last line runs, pieces, seconds and seconds of processor time.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

enum { BITS = 17, PLACES = 2 << BITS, FINE = 8, COARSE = BITS - FINE, BUCKETS = 1 << COARSE, ROOM = 704, LANES = 16 };
enum { QUEUED = 4096, WHOLE = 4096 };

typedef uint32_t lanes __attribute__((vector_size(4 * LANES)));

typedef struct {
    uint32_t filled[3][BUCKETS];
    uint64_t leaf[BUCKETS][ROOM]; /* 51 bits left above 8 bits of key */
    uint32_t place[BUCKETS][ROOM];
    uint64_t pair[BUCKETS][ROOM]; /* 34 bits above 8 */
    uint32_t from[BUCKETS][ROOM]; /* bucket, one, other */
    uint64_t four[BUCKETS][ROOM]; /* 29 bits of whence, 17 bits left, 8 of key */
} tables;

typedef struct {
    uint32_t seed[8], first, count, step;
    uint64_t pieces;
    int is_quiet;
} task;

static const uint32_t IV[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                               0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
static const uint8_t SIGMA[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};

#define ROT(x, n) (((x) >> (n)) | ((x) << (32 - (n))))
#define G(a, b, c, d, x, y)                                                                                            \
    a += b + (x); d = ROT(d ^ a, 16); c += d; b = ROT(b ^ c, 12);                                                      \
    a += b + (y); d = ROT(d ^ a, 8); c += d; b = ROT(b ^ c, 7)

static void hash(const uint32_t seed[8], uint32_t nonce, lanes group, lanes out[8]) {
    lanes m[16], v[16], zero = {0};
    for (int i = 0; i < 8; i++) m[i] = zero + seed[i];
    m[8] = zero + nonce;
    m[9] = group;
    for (int i = 10; i < 16; i++) m[i] = zero;
    for (int i = 0; i < 8; i++) v[i] = zero + (i ? IV[i] : IV[0] ^ 0x01010020);
    for (int i = 0; i < 8; i++) out[i] = v[i], v[i + 8] = zero + IV[i];
    v[12] ^= 40;
    v[14] = ~v[14];
#pragma GCC unroll 10
    for (int r = 0; r < 10; r++) {
        const uint8_t *s = SIGMA[r];
        G(v[0], v[4], v[8], v[12], m[s[0]], m[s[1]]);
        G(v[1], v[5], v[9], v[13], m[s[2]], m[s[3]]);
        G(v[2], v[6], v[10], v[14], m[s[4]], m[s[5]]);
        G(v[3], v[7], v[11], v[15], m[s[6]], m[s[7]]);
        G(v[0], v[5], v[10], v[15], m[s[8]], m[s[9]]);
        G(v[1], v[6], v[11], v[12], m[s[10]], m[s[11]]);
        G(v[2], v[7], v[8], v[13], m[s[12]], m[s[13]]);
        G(v[3], v[4], v[9], v[14], m[s[14]], m[s[15]]);
    }
    for (int i = 0; i < 8; i++) out[i] ^= v[i] ^ v[i + 8];
}

static inline void put_leaf(tables *t, uint32_t place, uint64_t low, uint32_t high) {
    if (place >= PLACES) return;
    uint32_t key = low & ((1 << BITS) - 1), bucket = key >> FINE;
    uint32_t at = t->filled[0][bucket];
    if (at >= ROOM) return;
    t->filled[0][bucket] = at + 1;
    t->leaf[bucket][at] = ((low >> BITS | (uint64_t)(high & 15) << (64 - BITS)) << FINE) | (key & 255);
    t->place[bucket][at] = place;
}

static void fill(tables *t, const uint32_t seed[8], uint32_t nonce) {
    union { lanes v[8]; uint32_t w[8][LANES]; } out;
    lanes group;
    for (int i = 0; i < LANES; i++) group[i] = i;
    for (uint32_t g = 0; 3 * g < PLACES; g += LANES, group += LANES) {
        hash(seed, nonce, group, out.v);
        for (int i = 0; i < LANES; i++) {
            uint32_t place = 3 * (g + i), *w = &out.w[0][i];
#define W(n) ((uint64_t)w[(n) * LANES])
            put_leaf(t, place, W(0) | W(1) << 32, W(2));
            put_leaf(t, place + 1, W(2) >> 16 | W(3) << 16 | W(4) << 48, W(4) >> 16);
            put_leaf(t, place + 2, W(5) | W(6) << 32, W(7));
        }
    }
}

/* Does the last argument for each `one` and `other` that have the same low 8 bits in one bucket. Chains are not followed
 * to their ends one by one, which a processor guesses wrong: who is next goes to the end of a queue. */
#define MEET(list, count, ...)                                                                                         \
    do {                                                                                                               \
        int16_t head[256], next[ROOM];                                                                                 \
        uint32_t queue[QUEUED + 1], queued = 0;                                                                        \
        memset(head, -1, sizeof head);                                                                                 \
        for (int i = 0; i < (int)(count); i++) {                                                                       \
            int16_t *last = head + (uint8_t)(list)[i];                                                                 \
            next[i] = *last;                                                                                           \
            queue[queued] = (uint32_t)i << 16 | (uint16_t)*last;                                                       \
            queued += *last >= 0;                                                                                      \
            *last = (int16_t)i;                                                                                        \
        }                                                                                                              \
        for (uint32_t turn = 0; turn < queued; turn++) {                                                               \
            int other = queue[turn] >> 16, one = queue[turn] & 0xffff;                                                 \
            queue[queued] = (uint32_t)other << 16 | (uint16_t)next[one];                                               \
            queued += (next[one] >= 0) & (queued < QUEUED);                                                            \
            { __VA_ARGS__ }                                                                                            \
        }                                                                                                              \
    } while (0)

static uint32_t whence(uint32_t bucket, int one, int other) { return bucket << 20 | (uint32_t)one << 10 | (uint32_t)other; }

static void join(uint32_t *places, uint32_t half) { /* the smaller first place left */
    if (places[0] > places[half])
        for (uint32_t i = 0; i < half; i++) {
            uint32_t kept = places[i];
            places[i] = places[half + i];
            places[half + i] = kept;
        }
}

static void expand(const tables *t, uint32_t four, uint32_t *places) {
    for (int side = 0; side < 2; side++) {
        uint32_t from = t->from[four >> 20][side ? four & 1023 : four >> 10 & 1023];
        places[2 * side] = t->place[from >> 20][from >> 10 & 1023];
        places[2 * side + 1] = t->place[from >> 20][from & 1023];
        join(places + 2 * side, 1);
    }
    join(places, 2);
}

static int found(const tables *t, uint32_t one, uint32_t other, uint32_t nonce, int is_quiet) {
    uint32_t places[8];
    expand(t, one, places);
    expand(t, other, places + 4);
    join(places, 4);
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < i; j++)
            if (places[i] == places[j]) return 0;
    if (!is_quiet) {
        char line[80];
        int at = sprintf(line, "%08x", nonce);
        for (int i = 0; i < 8; i++) at += sprintf(line + at, "%08x", places[i]);
        puts(line);
    }
    return 1;
}

static uint64_t wholes(const tables *t, uint32_t b, uint32_t nonce, int is_quiet) {
    int16_t head[WHOLE], next[ROOM];
    uint64_t pieces = 0;
    memset(head, -1, sizeof head);
    for (int other = 0; other < (int)t->filled[2][b]; other++) {
        uint64_t y = t->four[b][other];
        int16_t *last = head + (y & (WHOLE - 1));
        for (int one = *last; one >= 0; one = next[one]) {
            uint64_t x = t->four[b][one];
            if (((x ^ y) & 0x1ffffff) == 0) pieces += found(t, x >> 25, y >> 25, nonce, is_quiet);
        }
        next[other] = *last;
        *last = (int16_t)other;
    }
    return pieces;
}

static uint64_t solve(tables *t, const uint32_t seed[8], uint32_t nonce, int is_quiet) {
    uint64_t pieces = 0;
    memset(t->filled, 0, sizeof t->filled);
    fill(t, seed, nonce);
    for (uint32_t b = 0; b < BUCKETS; b++)
        MEET(t->leaf[b], t->filled[0][b], {
            uint64_t x = (t->leaf[b][one] ^ t->leaf[b][other]) >> FINE;
            uint32_t bucket = x >> FINE & (BUCKETS - 1), at = t->filled[1][bucket];
            if (at < ROOM) {
                t->filled[1][bucket] = at + 1;
                t->pair[bucket][at] = x >> BITS << FINE | (x & 255);
                t->from[bucket][at] = whence(b, one, other);
            }
        });
    for (uint32_t b = 0; b < BUCKETS; b++)
        MEET(t->pair[b], t->filled[1][b], {
            uint64_t x = (t->pair[b][one] ^ t->pair[b][other]) >> FINE;
            uint32_t bucket = x >> FINE & (BUCKETS - 1), at = t->filled[2][bucket];
            if (at < ROOM) {
                t->filled[2][bucket] = at + 1;
                t->four[bucket][at] = (uint64_t)whence(b, one, other) << 25 | x >> BITS << FINE | (x & 255);
            }
        });
    for (uint32_t b = 0; b < BUCKETS; b++)
        pieces += wholes(t, b, nonce, is_quiet);
    return pieces;
}

static void *work(void *given) {
    task *own = given;
    size_t huge = 2 << 20;
    tables *t = aligned_alloc(huge, (sizeof *t + huge - 1) / huge * huge);
    if (!t) abort();
    madvise(t, sizeof *t, MADV_HUGEPAGE);
    for (uint32_t n = 0; n < own->count; n += own->step) own->pieces += solve(t, own->seed, own->first + n, own->is_quiet);
    free(t);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc < 5 || strlen(argv[1]) != 64) return fprintf(stderr, "SEED_HEX FIRST_NONCE NONCES THREADS [quiet]\n"), 2;
    int threads = atoi(argv[4]);
    task tasks[256];
    pthread_t ids[256];
    struct timespec begun, ended;
    if (threads < 1 || threads > 256) return 2;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    for (int i = 0; i < threads; i++) {
        task *own = tasks + i;
        for (int w = 0; w < 8; w++) {
            uint32_t word;
            sscanf(argv[1] + 8 * w, "%8x", &word);
            own->seed[w] = __builtin_bswap32(word);
        }
        uint32_t count = (uint32_t)atoi(argv[3]);
        own->first = (uint32_t)atoi(argv[2]) + i;
        own->count = count > (uint32_t)i ? count - i : 0;
        own->step = threads;
        own->pieces = 0;
        own->is_quiet = argc > 5;
        pthread_create(ids + i, NULL, work, own);
    }
    uint64_t pieces = 0;
    for (int i = 0; i < threads; i++) pthread_join(ids[i], NULL), pieces += tasks[i].pieces;
    clock_gettime(CLOCK_MONOTONIC, &ended);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("%d %lu %.6f %.6f\n", atoi(argv[3]), (unsigned long)pieces,
           (double)(ended.tv_sec - begun.tv_sec) + 1e-9 * (double)(ended.tv_nsec - begun.tv_nsec),
           (double)used.ru_utime.tv_sec + 1e-6 * (double)used.ru_utime.tv_usec + (double)used.ru_stime.tv_sec +
               1e-6 * (double)used.ru_stime.tv_usec);
    return 0;
}
