/* Records what a process does to the files of one folder, in order, with all that it writes.

   LD_PRELOAD of a program that isn't changed; POWERLOSS_FOLDER names the folder, POWERLOSS_TRACE the
   file that the record goes to. A record: kind, length of the name, offset, length of the data; then
   both. Kinds: O opened and made, W written, T truncated to `offset`, S synced, M folder made,
   D folder synced, U unlinked, R renamed and L linked, to the name that is the data. Each is written
   at once, so that several processes can share a record. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST 4096
static char *names[MOST]; /* of open descriptors, below the folder; "" the folder itself */
static const char *folder;
static size_t folder_length;
static int trace = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("POWERLOSS_TRACE");
    folder = getenv("POWERLOSS_FOLDER");
    if (!path || !folder) return;
    folder_length = strlen(folder);
    trace = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static const char *below(const char *path) {
    if (trace < 0 || strncmp(path, folder, folder_length)) return NULL;
    if (path[folder_length] == 0) return "";
    return path[folder_length] == '/' ? path + folder_length + 1 : NULL;
}

static const char *named(int file) {
    return trace >= 0 && file >= 0 && file < MOST ? names[file] : NULL;
}

static void tell(char kind, const char *name, uint64_t offset, const void *data, uint64_t size) {
    unsigned char head[19];
    uint16_t length = strlen(name);
    int kept = errno;
    head[0] = kind;
    memcpy(head + 1, &length, 2);
    memcpy(head + 3, &offset, 8);
    memcpy(head + 11, &size, 8);
    struct iovec parts[] = {
        {head, sizeof head}, {(void *)name, length}, {(void *)data, size}};
    pthread_mutex_lock(&lock);
    syscall(SYS_writev, trace, parts, size ? 3 : 2);
    pthread_mutex_unlock(&lock);
    errno = kept;
}

static int opened(int at, const char *path, int flags, mode_t mode) {
    const char *name = (flags & O_TMPFILE) == O_TMPFILE ? NULL : below(path);
    int there = name && access(path, F_OK) == 0;
    int file = syscall(SYS_openat, at, path, flags, mode);
    if (file >= 0 && file < MOST) {
        free(names[file]);
        names[file] = name ? strdup(name) : NULL;
        if (name && *name && !there) tell('O', name, 0, NULL, 0);
        if (name && *name && there && (flags & O_TRUNC)) tell('T', name, 0, NULL, 0);
    }
    return file;
}

#define OPEN(function, first, at)                                          \
    int function(first const char *path, int flags, ...) {                 \
        va_list rest;                                                      \
        va_start(rest, flags);                                             \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, int) : 0; \
        va_end(rest);                                                      \
        return opened(at, path, flags, mode);                              \
    }
#define NOTHING
#define AT int directory,
OPEN(open, NOTHING, AT_FDCWD)
OPEN(open64, NOTHING, AT_FDCWD)
OPEN(openat, AT, directory)
OPEN(openat64, AT, directory)

int close(int file) {
    if (file >= 0 && file < MOST) {
        free(names[file]);
        names[file] = NULL;
    }
    return syscall(SYS_close, file);
}

ssize_t write(int file, const void *data, size_t size) {
    const char *name = named(file);
    uint64_t offset = 0;
    if (name) {
        struct stat status;
        int append = fcntl(file, F_GETFL) & O_APPEND;
        offset = append && !fstat(file, &status) ? (uint64_t)status.st_size
                                                 : (uint64_t)lseek(file, 0, SEEK_CUR);
    }
    ssize_t done = syscall(SYS_write, file, data, size);
    if (name && done > 0) tell('W', name, offset, data, done);
    return done;
}

static ssize_t put(int file, const void *data, size_t size, off_t offset) {
    ssize_t done = syscall(SYS_pwrite64, file, data, size, offset);
    if (named(file) && done > 0) tell('W', named(file), offset, data, done);
    return done;
}
ssize_t pwrite(int file, const void *data, size_t size, off_t offset) {
    return put(file, data, size, offset);
}
ssize_t pwrite64(int file, const void *data, size_t size, off64_t offset) {
    return put(file, data, size, offset);
}

static int cut(int file, off_t size) {
    int done = syscall(SYS_ftruncate, file, size);
    if (named(file) && !done) tell('T', named(file), size, NULL, 0);
    return done;
}
int ftruncate(int file, off_t size) { return cut(file, size); }
int ftruncate64(int file, off64_t size) { return cut(file, size); }

static int synced(int file, int call) {
    int done = syscall(call, file);
    struct stat status;
    if (named(file) && !done && !fstat(file, &status))
        tell(S_ISDIR(status.st_mode) ? 'D' : 'S', named(file), 0, NULL, 0);
    return done;
}
int fsync(int file) { return synced(file, SYS_fsync); }
int fdatasync(int file) { return synced(file, SYS_fdatasync); }

int unlink(const char *path) {
    int done = syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (!done && below(path)) tell('U', below(path), 0, NULL, 0);
    return done;
}

static void moved(char kind, const char *from, const char *to) {
    if (below(from) && below(to)) tell(kind, below(from), 0, below(to), strlen(below(to)));
}

int rename(const char *from, const char *to) {
    int done = syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (!done) moved('R', from, to);
    return done;
}

int link(const char *from, const char *to) {
    int done = syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (!done) moved('L', from, to);
    return done;
}

int mkdir(const char *path, mode_t mode) {
    int done = syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    if (!done && below(path)) tell('M', below(path), 0, NULL, 0);
    return done;
}
