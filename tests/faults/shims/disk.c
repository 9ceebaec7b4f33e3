/* A disk that fails, stalls or fills up on command, for one process: LD_PRELOAD.
 *
 * Owns what happens to calls on files below FAULT_PREFIX. FAULT_CONTROL names a file that is read anew
 * whenever it was replaced; each of its lines is one rule:
 *
 *     OPERATION NAME ACTION [COUNT]
 *
 * OPERATION  sync (fsync and fdatasync), write (write, pwrite), create (open of a new file), read
 *            (pread), rename, or any of them: *
 * NAME       matches if the path holds it; * for every path below the prefix
 * ACTION     fail:ERRNO | short (half of a write, then EIO) | delay:MILLISECONDS | hang (until the rule is gone)
 * COUNT      once | N (the first N calls) | always (the default)
 *
 * The binary takes sync_file_range's and fsync's place itself, but asks the C library for fdatasync and the
 * next fsync, so these two are what is stood in for. What is not below the prefix is not touched.
 * FAULT_LOG, if set, gets a line for each call that was interfered with: monotonic seconds, operation, path, what.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define RULES_MAX 16
#define LOOK_MS 5

enum action { FAIL, SHORT, DELAY, HANG };

struct rule {
    char operation[16];
    char name[128];
    enum action action;
    int number;
    long left; /* calls, -1 without end */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rule rules[RULES_MAX];
static int count;
static struct timespec read_at;
static ino_t read_from;
static long generation;

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int errno_of(const char *name) {
    if (!strcmp(name, "EIO")) return EIO;
    if (!strcmp(name, "ENOSPC")) return ENOSPC;
    if (!strcmp(name, "EDQUOT")) return EDQUOT;
    if (!strcmp(name, "EROFS")) return EROFS;
    return atoi(name);
}

static int parse(const char *line, struct rule *rule) {
    char action[32] = "", times[32] = "always";
    if (sscanf(line, "%15s %127s %31s %31s", rule->operation, rule->name, action, times) < 3) return 0;
    char *argument = strchr(action, ':');
    if (argument) *argument++ = 0;
    if (!strcmp(action, "fail")) rule->action = FAIL, rule->number = errno_of(argument ? argument : "EIO");
    else if (!strcmp(action, "short")) rule->action = SHORT, rule->number = EIO;
    else if (!strcmp(action, "delay")) rule->action = DELAY, rule->number = argument ? atoi(argument) : 0;
    else if (!strcmp(action, "hang")) rule->action = HANG;
    else return 0;
    rule->left = !strcmp(times, "always") ? -1 : !strcmp(times, "once") ? 1 : atol(times);
    return 1;
}

/* Reads the control file if it has changed. Called with the lock held. */
static void refresh(void) {
    const char *path = getenv("FAULT_CONTROL");
    struct stat now;
    if (!path || stat(path, &now)) {
        count = 0;
        return;
    }
    if (now.st_ino == read_from && now.st_mtim.tv_sec == read_at.tv_sec && now.st_mtim.tv_nsec == read_at.tv_nsec)
        return;
    FILE *file = fopen(path, "re");
    if (!file) return;
    read_at = now.st_mtim;
    read_from = now.st_ino;
    generation++;
    count = 0;
    char line[256];
    while (count < RULES_MAX && fgets(line, sizeof line, file))
        if (parse(line, &rules[count])) count++;
    fclose(file);
}

static void note(const char *operation, const char *path, const char *what) {
    const char *log = getenv("FAULT_LOG");
    if (!log) return;
    FILE *file = fopen(log, "ae");
    if (!file) return;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    fprintf(file, "%ld.%06ld %s %s %s\n", (long)now.tv_sec, now.tv_nsec / 1000, operation, path, what);
    fclose(file);
}

static int is_ours(const char *path) {
    const char *prefix = getenv("FAULT_PREFIX");
    return prefix && *prefix && !strncmp(path, prefix, strlen(prefix));
}

/* The rule for a call, used up by one. Answers whether there is one. */
static int take(const char *operation, const char *path, struct rule *taken) {
    int found = 0;
    pthread_mutex_lock(&lock);
    refresh();
    for (int i = 0; i < count && !found; i++) {
        struct rule *rule = &rules[i];
        int same = !strcmp(rule->operation, "*") || !strcmp(rule->operation, operation);
        int named = !strcmp(rule->name, "*") || strstr(path, rule->name);
        if (!same || !named || rule->left == 0) continue;
        if (rule->left > 0) rule->left--;
        *taken = *rule;
        found = 1;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

static void rest(long ms) {
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&pause, &pause) && errno == EINTR) {}
}

/* Until the control file has changed. */
static void hang(void) {
    pthread_mutex_lock(&lock);
    long at = generation;
    pthread_mutex_unlock(&lock);
    for (;;) {
        rest(LOOK_MS);
        pthread_mutex_lock(&lock);
        refresh();
        int over = generation != at || count == 0;
        pthread_mutex_unlock(&lock);
        if (over) return;
    }
}

/* 0: go on. Otherwise the call has to answer -1 with errno set; of SHORT, after half of its bytes. */
static int interfere(const char *operation, const char *path, struct rule *rule) {
    if (!is_ours(path) || !take(operation, path, rule)) return 0;
    switch (rule->action) {
    case DELAY:
        note(operation, path, "delayed");
        rest(rule->number);
        return 0;
    case HANG:
        note(operation, path, "hangs");
        hang();
        note(operation, path, "goes on");
        return 0;
    case SHORT:
        note(operation, path, "cut short");
        return 1;
    case FAIL:
        note(operation, path, "failed");
        errno = rule->number;
        return 1;
    }
    return 0;
}

static const char *path_of(int fd, char *buffer, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, buffer, size - 1);
    if (len < 0) return "";
    buffer[len] = 0;
    return buffer;
}

static int interfere_fd(const char *operation, int fd, struct rule *rule) {
    int before = errno;
    char buffer[4096];
    int stopped = getenv("FAULT_PREFIX") ? interfere(operation, path_of(fd, buffer, sizeof buffer), rule) : 0;
    if (!stopped) errno = before;
    return stopped;
}

int fdatasync(int fd) {
    struct rule rule;
    return interfere_fd("sync", fd, &rule) ? -1 : NEXT(fdatasync)(fd);
}

int fsync(int fd) {
    struct rule rule;
    return interfere_fd("sync", fd, &rule) ? -1 : NEXT(fsync)(fd);
}

/* A write that is cut short writes half; what follows of it fails. */
static __thread int cut;

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at) {
    struct rule rule;
    if (cut) return cut = 0, errno = EIO, -1;
    if (!interfere_fd("write", fd, &rule)) return NEXT(pwrite64)(fd, bytes, len, at);
    if (rule.action != SHORT || len < 2) return errno = rule.number, -1;
    cut = 1;
    return NEXT(pwrite64)(fd, bytes, len / 2, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at) { return pwrite64(fd, bytes, len, at); }

ssize_t write(int fd, const void *bytes, size_t len) {
    struct rule rule;
    if (fd <= 2 || !interfere_fd("write", fd, &rule)) return NEXT(write)(fd, bytes, len);
    if (rule.action != SHORT || len < 2) return errno = rule.number, -1;
    return NEXT(write)(fd, bytes, len / 2);
}

ssize_t pread64(int fd, void *bytes, size_t len, off64_t at) {
    struct rule rule;
    return interfere_fd("read", fd, &rule) ? -1 : NEXT(pread64)(fd, bytes, len, at);
}

ssize_t pread(int fd, void *bytes, size_t len, off_t at) { return pread64(fd, bytes, len, at); }

int open64(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
    va_end(list);
    struct rule rule;
    struct stat there;
    int creates = (flags & O_CREAT) && is_ours(path) && stat(path, &there);
    if (creates && interfere("create", path, &rule)) return errno = rule.number, -1;
    return NEXT(open64)(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
    va_end(list);
    return open64(path, flags, mode);
}

int rename(const char *from, const char *to) {
    struct rule rule;
    return interfere("rename", from, &rule) ? (errno = rule.number, -1) : NEXT(rename)(from, to);
}
