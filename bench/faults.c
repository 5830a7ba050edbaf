/* Makes the k-th call of a kind under a folder fail, cut short, or end the process.
 *
 * Preloaded (LD_PRELOAD) into the process under test, which arms it by `faults_arm` after its start:
 * real calls of the C library, made by whatever part of the process, fail as a bad disk would have
 * them fail. Calls on other files go through untouched and uncounted.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum kind { WRITE, FSYNC, RENAME, REMOVE, MKDIR, KINDS };
enum action { FAIL, FULL, KILL };

static char prefix[PATH_MAX];
static int armed_kind = -1, armed_action, armed_error, full;
static long armed_at, seen[KINDS];

/* Count from now on what happens under `folder`; let call `at` (from 1) of `kind` go wrong.
 * A kind of -1 only counts. */
void faults_arm(const char *folder, int kind, long at, int action, int error) {
    snprintf(prefix, sizeof prefix, "%s", folder);
    memset(seen, 0, sizeof seen);
    armed_kind = kind, armed_at = at, armed_action = action, armed_error = error, full = 0;
}

long faults_seen(int kind) { return seen[kind]; }

static int is_inside(const char *path) {
    size_t length = strlen(prefix);
    return length && !strncmp(path, prefix, length) && (path[length] == '/' || !path[length]);
}

static int is_path_inside(int folder, const char *path) {
    char link[64], whole[PATH_MAX];
    if (!*prefix) return 0;
    if (path[0] == '/') return is_inside(path);
    if (folder == AT_FDCWD)
        snprintf(link, sizeof link, "/proc/self/cwd");
    else
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t length = readlink(link, whole, sizeof whole - 1);
    if (length < 0) return 0;
    whole[length] = 0;
    if (path[0] && length + strlen(path) + 2 < sizeof whole) {
        whole[length] = '/';
        strcpy(whole + length + 1, path);
    }
    return is_inside(whole);
}

static int is_file_inside(int file) { return is_path_inside(file, ""); }

/* Whether this call is the one that goes wrong. */
static int hit(enum kind kind) {
    seen[kind]++;
    return kind == armed_kind && seen[kind] == armed_at;
}

static void end(void) {
    kill(getpid(), SIGKILL);
    pause();
}

/* A call without a count of bytes: 1 where it was made to fail. */
static int goes_wrong(enum kind kind) {
    if (!hit(kind)) return 0;
    if (armed_action == KILL) end();
    errno = armed_error;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int file, const void *data, size_t size) {
    ssize_t (*real)(int, const void *, size_t) = REAL(write);
    if (!is_file_inside(file)) return real(file, data, size);
    if (full) {
        errno = armed_error;
        return -1;
    }
    if (!hit(WRITE)) return real(file, data, size);
    if (armed_action == FAIL) {
        errno = armed_error;
        return -1;
    }
    ssize_t written = real(file, data, size / 2); /* as much as there was room or time for */
    if (armed_action == KILL) end();
    full = 1;
    if (written > 0) return written;
    errno = armed_error;
    return -1;
}

int fsync(int file) {
    return is_file_inside(file) && goes_wrong(FSYNC) ? -1 : REAL(fsync)(file);
}

int fdatasync(int file) {
    return is_file_inside(file) && goes_wrong(FSYNC) ? -1 : REAL(fdatasync)(file);
}

int rename(const char *from, const char *to) {
    return is_path_inside(AT_FDCWD, from) && goes_wrong(RENAME) ? -1 : REAL(rename)(from, to);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    int wrong = is_path_inside(from_folder, from) && goes_wrong(RENAME);
    return wrong ? -1 : REAL(renameat)(from_folder, from, to_folder, to);
}

int unlink(const char *path) {
    return is_path_inside(AT_FDCWD, path) && goes_wrong(REMOVE) ? -1 : REAL(unlink)(path);
}

int unlinkat(int folder, const char *path, int flags) {
    int wrong = is_path_inside(folder, path) && goes_wrong(REMOVE);
    return wrong ? -1 : REAL(unlinkat)(folder, path, flags);
}

int rmdir(const char *path) {
    return is_path_inside(AT_FDCWD, path) && goes_wrong(REMOVE) ? -1 : REAL(rmdir)(path);
}

int mkdir(const char *path, mode_t mode) {
    return is_path_inside(AT_FDCWD, path) && goes_wrong(MKDIR) ? -1 : REAL(mkdir)(path, mode);
}

int mkdirat(int folder, const char *path, mode_t mode) {
    int wrong = is_path_inside(folder, path) && goes_wrong(MKDIR);
    return wrong ? -1 : REAL(mkdirat)(folder, path, mode);
}
