/*
 * A disk that fails as it is told, and that forgets what was never synced. Loaded into a program with LD_PRELOAD; see faulty-disk.ts.
 *
 * TORTURE_DISK     the folder whose files are meant, an absolute path
 * TORTURE_CONTROL  a file of four 32-bit numbers, which may change at any time: mode, permille of calls, microseconds, unused
 * TORTURE_SYNCED   a folder for what is known to be on the disk: FILE.data for each inode, and `log`, which says in lines
 *                    S INODE SIZE PATH       a file was synced, with this size
 *                    D PATH                  a folder was synced; its names follow
 *                    N INODE PATH            a name in it
 *                    E                       that was all of them
 * TORTURE_BOOT     a file that is read in the place of the kernel's boot_id: after a power cut it is another one
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { NONE, WRITE_FAILS, SYNC_FAILS, FULL, SLOW, READ_FAILS };

struct control {
  volatile uint32_t mode, permille, microseconds, unused;
};

static struct control *control;
static const char *disk, *synced;
static size_t disk_length;
static pthread_mutex_t sync_lock = PTHREAD_MUTEX_INITIALIZER;
static __thread unsigned seed;

#define REAL(name) \
  static __typeof__(&name) real; \
  if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("TORTURE_CONTROL");
  disk = getenv("TORTURE_DISK");
  synced = getenv("TORTURE_SYNCED");
  if (!path || !disk) return;
  disk_length = strlen(disk);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  void *memory = mmap(NULL, sizeof(struct control), PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (memory != MAP_FAILED) control = memory;
}

static int path_of(int fd, char *path, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, size - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return strncmp(path, disk, disk_length) == 0 && (path[disk_length] == '/' || path[disk_length] == 0);
}

static int is_ours(int fd) {
  char path[4096];
  return disk && path_of(fd, path, sizeof path);
}

static int hits(void) {
  if (!seed) seed = (unsigned)(uintptr_t)&seed ^ (unsigned)getpid();
  return (uint32_t)(rand_r(&seed) % 1000) < control->permille;
}

/* 0, or the error that a write is to fail with. */
static int write_error(int fd) {
  if (!control || control->mode == NONE || !is_ours(fd)) return 0;
  switch (control->mode) {
    case WRITE_FAILS: return hits() ? EIO : 0;
    case FULL: return ENOSPC;
    case SLOW:
      if (hits()) usleep(control->microseconds);
      return 0;
    default: return 0;
  }
}

#define FAIL_WRITE(fd) \
  do { \
    int error = write_error(fd); \
    if (error) { \
      errno = error; \
      return -1; \
    } \
  } while (0)

ssize_t write(int fd, const void *bytes, size_t size) {
  REAL(write);
  FAIL_WRITE(fd);
  return real(fd, bytes, size);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
  REAL(pwrite);
  FAIL_WRITE(fd);
  return real(fd, bytes, size, at);
}

static void keep_range(int fd, const void *bytes, size_t size, off_t at);

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
  REAL(pwrite64);
  FAIL_WRITE(fd);
  ssize_t written = real(fd, bytes, size, at);
  if (written > 0 && synced && (fcntl(fd, F_GETFL) & O_DSYNC)) keep_range(fd, bytes, (size_t)written, at);
  return written;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(writev);
  FAIL_WRITE(fd);
  return real(fd, parts, count);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
  REAL(pwritev);
  FAIL_WRITE(fd);
  return real(fd, parts, count, at);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) {
  REAL(pwritev64);
  FAIL_WRITE(fd);
  return real(fd, parts, count, at);
}

static int read_fails(int fd) { return control && control->mode == READ_FAILS && is_ours(fd) && hits(); }

ssize_t pread(int fd, void *bytes, size_t size, off_t at) {
  REAL(pread);
  if (read_fails(fd)) return errno = EIO, -1;
  return real(fd, bytes, size, at);
}

ssize_t pread64(int fd, void *bytes, size_t size, off64_t at) {
  REAL(pread64);
  if (read_fails(fd)) return errno = EIO, -1;
  return real(fd, bytes, size, at);
}

static void say(const char *format, ...) {
  char line[8192], path[4096];
  va_list values;
  va_start(values, format);
  int length = vsnprintf(line, sizeof line, format, values);
  va_end(values);
  snprintf(path, sizeof path, "%s/log", synced);
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return;
  ssize_t done = write(fd, line, (size_t)length);
  (void)done;
  close(fd);
}

/* One at a time: in this process, and in the others with the same disk. */
static int lock_synced(void) {
  char path[4096];
  pthread_mutex_lock(&sync_lock);
  if (!synced) return -1;
  snprintf(path, sizeof path, "%s/lock", synced);
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd >= 0) flock(fd, LOCK_EX);
  return fd;
}

static void unlock_synced(int fd) {
  if (fd >= 0) close(fd);
  pthread_mutex_unlock(&sync_lock);
}

/* Does a file begin with other bytes than its copy? Then it was written over, as segments are that got an older one's file. */
static int begins_anew(int from, int copy) {
  char now[4096], before[4096];
  ssize_t count = pread(copy, before, sizeof before, 0);
  return count > 0 && (pread(from, now, (size_t)count, 0) != count || memcmp(now, before, (size_t)count) != 0);
}

/*
 * Keeps what a file has now. A log grows, mostly: what is new is copied. Of others the copy takes the place of the one before as a whole:
 * the program may be killed meanwhile, and half a copy is nothing that a disk could have.
 */
static void keep_file(const char *path, const struct stat *stats) {
  char name[4096], copy[4096], bytes[65536];
  snprintf(name, sizeof name, "%s/%lu.data", synced, (unsigned long)stats->st_ino);
  size_t length = strlen(path);
  int grows = length > 4 && strcmp(path + length - 4, ".log") == 0;
  snprintf(copy, sizeof copy, grows ? "%s/%lu.data" : "%s/%lu.new", synced, (unsigned long)stats->st_ino);
  int from = open(path, O_RDONLY | O_CLOEXEC);
  /* The name may be another file's by now. */
  struct stat found;
  if (from >= 0 && (fstat(from, &found) != 0 || found.st_ino != stats->st_ino)) {
    close(from);
    from = -1;
  }
  if (from < 0) return;
  int to = open(copy, O_RDWR | O_CREAT | O_CLOEXEC | (grows ? 0 : O_TRUNC), 0600);
  if (to < 0) return (void)close(from);
  off_t at = grows ? lseek(to, 0, SEEK_END) : 0;
  /* One that isn't longer may have been written to in its middle. */
  if (at >= stats->st_size) at = 0;
  char over[4096];
  snprintf(over, sizeof over, "%s/%lu.over", synced, (unsigned long)stats->st_ino);
  if (at > 0 && begins_anew(from, to)) close(open(over, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (access(over, F_OK) == 0) at = 0;
  /* Of a log the last part may have been cut back and written again. */
  at = at > 262144 ? at - 262144 : 0;
  for (ssize_t count; at < stats->st_size && (count = pread(from, bytes, sizeof bytes, at)) > 0;) {
    if (pwrite(to, bytes, (size_t)count, at) != count) break;
    at += count;
  }
  close(from);
  close(to);
  if (!grows) rename(copy, name);
  say("S %lu %ld %s\n", (unsigned long)stats->st_ino, (long)stats->st_size, path + disk_length);
}

/* A write to a descriptor of which each write is synced. */
static void keep_range(int fd, const void *bytes, size_t size, off_t at) {
  char path[4096], name[4096];
  struct stat stats, kept;
  if (!path_of(fd, path, sizeof path) || fstat(fd, &stats) != 0) return;
  int lock = lock_synced();
  snprintf(name, sizeof name, "%s/%lu.data", synced, (unsigned long)stats.st_ino);
  int to = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (to >= 0) {
    if (pwrite(to, bytes, size, at) == (ssize_t)size && fstat(to, &kept) == 0)
      say("S %lu %ld %s\n", (unsigned long)stats.st_ino, (long)kept.st_size, path + disk_length);
    close(to);
  }
  unlock_synced(lock);
}

static void keep_names(const char *path) {
  DIR *folder = opendir(path);
  if (!folder) return;
  say("D %s\n", path + disk_length);
  for (struct dirent *entry; (entry = readdir(folder));)
    if (entry->d_name[0] != '.' || (entry->d_name[1] && entry->d_name[1] != '.'))
      say("N %lu %s/%s\n", (unsigned long)entry->d_ino, path + disk_length, entry->d_name);
  say("E\n");
  closedir(folder);
}

/* What is on the disk after a sync is at least what was there before it. */
static int sync_with(int fd, int (*real)(int)) {
  char path[4096];
  if (!disk || !path_of(fd, path, sizeof path)) return real(fd);
  if (control) {
    if (control->mode == SYNC_FAILS && hits()) return errno = EIO, -1;
    if (control->mode == SLOW && hits()) usleep(control->microseconds);
  }
  int lock = lock_synced();
  struct stat stats;
  int is_known = synced && fstat(fd, &stats) == 0;
  int result = real(fd);
  if (result == 0 && is_known) {
    if (S_ISDIR(stats.st_mode)) keep_names(path);
    else if (S_ISREG(stats.st_mode)) keep_file(path, &stats);
  }
  unlock_synced(lock);
  return result;
}

int fsync(int fd) {
  REAL(fsync);
  return sync_with(fd, real);
}

int fdatasync(int fd) {
  REAL(fdatasync);
  return sync_with(fd, real);
}

static struct found {
  char *path;
  struct stat stats;
} *found;
static size_t found_count;

static int find(const char *path, const struct stat *stats, int type, struct FTW *at) {
  (void)at;
  if (type != FTW_F && type != FTW_D) return 0;
  struct found *more = realloc(found, (found_count + 1) * sizeof *found);
  if (!more) return 1;
  found = more;
  found[found_count].path = strdup(path);
  found[found_count++].stats = *stats;
  return 0;
}

/* All files as they were before it; not of the whole file system, but of the disk. */
int syncfs(int fd) {
  REAL(syncfs);
  if (!disk || !is_ours(fd)) return real(fd);
  if (control) {
    if (control->mode == SYNC_FAILS && hits()) return errno = EIO, -1;
    if (control->mode == SLOW && hits()) usleep(control->microseconds);
  }
  int lock = lock_synced();
  if (synced) nftw(disk, find, 32, FTW_PHYS);
  int result = real(fd);
  for (size_t i = 0; i < found_count; i++) {
    if (result == 0 && S_ISDIR(found[i].stats.st_mode)) keep_names(found[i].path);
    if (result == 0 && S_ISREG(found[i].stats.st_mode)) keep_file(found[i].path, &found[i].stats);
    free(found[i].path);
  }
  found_count = 0;
  unlock_synced(lock);
  return result;
}

static const char *redirected(const char *path) {
  const char *boot = getenv("TORTURE_BOOT");
  return boot && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0 ? boot : path;
}

#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    REAL(name); \
    va_list values; \
    va_start(values, flags); \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(values, mode_t) : 0; \
    va_end(values); \
    return real(redirected(path), flags, mode); \
  }

OPEN(open)
OPEN(open64)

/* LMDB believes only a boot_id of procfs. */
#define FSTATFS(name, type) \
  int name(int fd, struct type *found) { \
    REAL(name); \
    int result = real(fd, found); \
    const char *boot = getenv("TORTURE_BOOT"); \
    char link[64], path[4096]; \
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd); \
    ssize_t length = boot && result == 0 ? readlink(link, path, sizeof path) : 0; \
    if (length > 0 && (size_t)length == strlen(boot) && memcmp(path, boot, (size_t)length) == 0) \
      found->f_type = PROC_SUPER_MAGIC; \
    return result; \
  }

FSTATFS(fstatfs, statfs)
FSTATFS(fstatfs64, statfs64)
