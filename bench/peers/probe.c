// What this machine's memory and arithmetic give, for the floors of bench/peers.py.
//   probe THREADS BYTES …   prints {"read": [bytes/s of each size], "operations": {…}, "unit": "…"}
// Reading: every thread sums its part of BYTES again and again, as a step reads its weights; sizes
// that a cache holds are read from there, for models too. Operations: products of registers alone in
// the widest unit that the compiler was allowed to use, for weights of 4, 8 and 16 or 32 bits.
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

#define SECONDS 0.4
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

// A round is `ROUND` times some products into sums of their own; a multiplication and an addition
// are two operations. The empty asm keeps the compiler from computing a product once and for all.
#define ROUND 20000
#if defined(__AMX_INT8__)
static const char *unit = "AMX int8, half of it for bf16, AVX-512 f32";
#define INT8_OPERATIONS (8.0 * 2 * 16 * 16 * 64)
static void int8_round(void) {
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
static const char *unit = "AVX-512 VNNI int8, AVX-512 f32";
#define INT8_OPERATIONS (8.0 * 2 * 64)
static void int8_round(void) {
    __m512i one = _mm512_set1_epi8(1), sums[8] = {0};
    for (int i = 0; i < ROUND; i++) {
        __asm__ volatile("" : "+x"(one));
        for (int j = 0; j < 8; j++) sums[j] = _mm512_dpbusd_epi32(sums[j], one, one);
    }
    for (int j = 0; j < 8; j++) sink += (uint64_t)_mm512_reduce_add_epi32(sums[j]);
}
#else
static const char *unit = "AVX2: int8 with sums of 32 bits, int4 with sums of 16 bits, f32";
#define INT8_OPERATIONS (6.0 * 2 * 32)  // six sums: an eighth would not stay in a register
static void int8_round(void) {
    __m256i one = _mm256_set1_epi8(1), ones = _mm256_set1_epi16(1), sums[6] = {0};
    for (int i = 0; i < ROUND; i++)
        for (int j = 0; j < 6; j++) {
            __asm__ volatile("" : "+x"(one));
            __m256i pairs = _mm256_maddubs_epi16(one, one);
            sums[j] = _mm256_add_epi32(sums[j], _mm256_madd_epi16(pairs, ones));
        }
    for (int j = 0; j < 6; j++) sink += (uint64_t)_mm256_extract_epi64(sums[j], 0);
}
#define INT4_OPERATIONS INT8_OPERATIONS
static void int4_round(void) {
    __m256i one = _mm256_set1_epi8(1), sums[6] = {0};
    for (int i = 0; i < ROUND; i++)
        for (int j = 0; j < 6; j++) {
            __asm__ volatile("" : "+x"(one));
            sums[j] = _mm256_add_epi16(sums[j], _mm256_maddubs_epi16(one, one));
        }
    for (int j = 0; j < 6; j++) sink += (uint64_t)_mm256_extract_epi64(sums[j], 0);
}
#endif

#if defined(__AVX512F__)
#define FLOAT_OPERATIONS (16.0 * 2 * 16)
static void float_round(void) {
    __m512 one = _mm512_set1_ps(1), sums[16] = {0};
    for (int i = 0; i < ROUND; i++)
        for (int j = 0; j < 16; j++) {
            __asm__ volatile("" : "+x"(one));
            sums[j] = _mm512_fmadd_ps(one, one, sums[j]);
        }
    for (int j = 0; j < 16; j++) sink += (uint64_t)_mm512_reduce_add_ps(sums[j]);
}
#else
#define FLOAT_OPERATIONS (12.0 * 2 * 8)
static void float_round(void) {
    __m256 one = _mm256_set1_ps(1), sums[12] = {0};
    for (int i = 0; i < ROUND; i++)
        for (int j = 0; j < 12; j++) {
            __asm__ volatile("" : "+x"(one));
            sums[j] = _mm256_fmadd_ps(one, one, sums[j]);
        }
    for (int j = 0; j < 12; j++) sink += (uint64_t)_mm256_cvtss_f32(sums[j]);
}
#endif

static void (*products)(void);
static double products_operations;

static void *multiply(void *given) {
    struct part *part = given;
    pthread_barrier_wait(&ready);
    double start = now(), best = 0;
    while (now() - start < SECONDS) {
        double begun = now();
        products();
        double rate = ROUND * products_operations / (now() - begun);
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

static double operations(void (*round)(void), double each, int threads) {
    products = round;
    products_operations = each;
    return together(multiply, threads);
}

int main(int count, char **words) {
    if (count < 2) return 2;
    int threads = atoi(words[1]);
    pthread_barrier_init(&ready, NULL, (unsigned)threads);
    printf("{\"read\": [");
    for (int i = 2; i < count; i++) {
        part_bytes = (size_t)atoll(words[i]) / (size_t)threads / 256 * 256;
        data = aligned_alloc(64, part_bytes * (size_t)threads);
        if (!data) return 1;
        printf("%s%.4g", i == 2 ? "" : ", ", together(read_part, threads));
        free(data);
    }
#if defined(__AMX_INT8__)
    syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */, 18 /* tile data */);
#endif
    double int8 = operations(int8_round, INT8_OPERATIONS, threads), int4 = int8;
#if defined(INT4_OPERATIONS)
    int4 = operations(int4_round, INT4_OPERATIONS, threads);
#endif
    double f32 = operations(float_round, FLOAT_OPERATIONS, threads), bf16 = f32;
#if defined(__AMX_BF16__)
    bf16 = int8 / 2;
#endif
    printf("], \"operations\": {\"4-bit\": %.4g, \"8-bit\": %.4g, \"16-bit\": %.4g, "
           "\"32-bit\": %.4g}, \"unit\": \"%s\"}\n", int4, int8, bf16, f32, unit);
    return 0;
}
