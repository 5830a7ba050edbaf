// What this machine's memory and arithmetic give, for the floors of bench/peers.py.
//   probe BYTES THREADS   prints {"read_bytes_per_second": …, "operations_per_second": …}
// Reading: every thread sums its part of BYTES again and again, as a step reads its weights; sizes
// that a cache holds are read from there, for models too. Operations: products of registers alone,
// in the widest 8-bit unit that the compiler was allowed to use; the unit is told as well.
#define _GNU_SOURCE
#include <immintrin.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SECONDS 0.6
static size_t part_bytes;
static uint8_t *data;
static pthread_barrier_t ready;
static uint64_t volatile sink;
struct part { int index; double rate; };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *read_part(void *given) {
    struct part *part = given;
    uint64_t *words = (uint64_t *)(data + (size_t)part->index * part_bytes);
    size_t count = part_bytes / 8;
    memset(words, part->index + 1, part_bytes);
    pthread_barrier_wait(&ready);
    double start = now(), best = 0;
    while (now() - start < SECONDS) {
        double begun = now();
        uint64_t sums[32] = {0};
        for (size_t i = 0; i + 32 <= count; i += 32)
            for (int j = 0; j < 32; j++) sums[j] += words[i + j];
        for (int j = 0; j < 32; j++) sink += sums[j];
        double rate = (double)part_bytes / (now() - begun);
        if (rate > best) best = rate;
    }
    part->rate = best;
    return NULL;
}

// A round is `ROUND` times eight products into sums of their own; a multiplication and an addition
// are two operations. The empty asm keeps the compiler from computing a product once and for all.
#define ROUND 20000
#if defined(__AMX_INT8__)
static const char *unit = "AMX int8";
#define OPERATIONS (8.0 * 2 * 16 * 16 * 64)
static void round_of_products(void) {
    struct { uint8_t palette, row, zero[14]; uint16_t width[16]; uint8_t rows[16]; }
        tiles __attribute__((aligned(64)));
    memset(&tiles, 0, sizeof tiles);
    tiles.palette = 1;
    for (int i = 0; i < 8; i++) {
        tiles.width[i] = 64;
        tiles.rows[i] = 16;
    }
    __asm__ volatile("" : : "r"(&tiles) : "memory");  // GCC 12 drops the stores above without it
    _tile_loadconfig(&tiles);
    _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3);
    _tile_zero(4); _tile_zero(5); _tile_zero(6); _tile_zero(7);
    for (int i = 0; i < ROUND; i++) {
        _tile_dpbusd(0, 4, 6); _tile_dpbusd(1, 4, 7); _tile_dpbusd(2, 5, 6); _tile_dpbusd(3, 5, 7);
        _tile_dpbusd(0, 4, 6); _tile_dpbusd(1, 4, 7); _tile_dpbusd(2, 5, 6); _tile_dpbusd(3, 5, 7);
    }
    _tile_release();
}
#elif defined(__AVX512VNNI__)
static const char *unit = "AVX-512 VNNI int8";
#define OPERATIONS (8.0 * 2 * 64)
static void round_of_products(void) {
    __m512i one = _mm512_set1_epi8(1), sums[8] = {0};
    for (int i = 0; i < ROUND; i++) {
        __asm__ volatile("" : "+x"(one));
        for (int j = 0; j < 8; j++) sums[j] = _mm512_dpbusd_epi32(sums[j], one, one);
    }
    for (int j = 0; j < 8; j++) sink += (uint64_t)_mm512_reduce_add_epi32(sums[j]);
}
#else
static const char *unit = "AVX2 int8";
#define OPERATIONS (8.0 * 2 * 32)
static void round_of_products(void) {
    __m256i one = _mm256_set1_epi8(1), ones = _mm256_set1_epi16(1), sums[8] = {0};
    for (int i = 0; i < ROUND; i++)
        for (int j = 0; j < 8; j++) {
            __asm__ volatile("" : "+x"(one));
            __m256i pairs = _mm256_maddubs_epi16(one, one);
            sums[j] = _mm256_add_epi32(sums[j], _mm256_madd_epi16(pairs, ones));
        }
    for (int j = 0; j < 8; j++) sink += (uint64_t)_mm256_extract_epi64(sums[j], 0);
}
#endif

static void *multiply(void *given) {
    struct part *part = given;
    pthread_barrier_wait(&ready);
    double start = now(), best = 0;
    while (now() - start < SECONDS) {
        double begun = now();
        round_of_products();
        double rate = ROUND * OPERATIONS / (now() - begun);
        if (rate > best) best = rate;
    }
    part->rate = best;
    return NULL;
}

static double together(void *(*what)(void *), int threads) {
    pthread_t *made = calloc((size_t)threads, sizeof *made);
    struct part *parts = calloc((size_t)threads, sizeof *parts);
    double sum = 0;
    for (int i = 0; i < threads; i++) {
        parts[i].index = i;
        pthread_create(&made[i], NULL, what, &parts[i]);
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(made[i], NULL);
        sum += parts[i].rate;
    }
    free(made);
    free(parts);
    return sum;
}

int main(int count, char **words) {
    if (count != 3) return 2;
    int threads = atoi(words[2]);
    part_bytes = (size_t)atoll(words[1]) / (size_t)threads / 256 * 256;
    data = aligned_alloc(64, part_bytes * (size_t)threads);
    if (!data) return 1;
    pthread_barrier_init(&ready, NULL, (unsigned)threads);
    double bytes = together(read_part, threads);
#if defined(__AMX_INT8__)
    syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */, 18 /* tile data */);
#endif
    double operations = together(multiply, threads);
    printf("{\"read_bytes_per_second\": %.4g, \"operations_per_second\": %.4g, \"unit\": \"%s\"}\n",
           bytes, operations, unit);
    return 0;
}
