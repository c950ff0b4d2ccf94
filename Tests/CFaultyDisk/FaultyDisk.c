#include "CFaultyDisk.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// A disk writes sectors of this size whole or not at all.
enum { sectorBytes = 512 };

// Not synced yet. A truncation has no bytes.
typedef struct Pending {
  struct Pending *next;
  sqlite3_int64 offset;
  size_t count;
  unsigned char bytes[];
} Pending;

typedef struct Image {
  unsigned char *bytes;
  size_t count;
} Image;

// What is known of one file, from its first opening on.
typedef struct Record {
  struct Record *next;
  char *path;
  int exists;
  // Its name was removed, and that is not durable.
  int isDeleted;
  Image durable;
  Pending *first;
  Pending **last;
} Record;

struct FaultyDisk {
  FaultyDisk *next;
  char *directory;
  Record *records;
  int isCut;
  int ignoresSyncs;
  // Counted down; 0 is never.
  uint64_t cutAfter, failWriteAfter, failSyncAfter;
  int failsFull;
  uint64_t syncs;
};

typedef struct File {
  sqlite3_file base;
  FaultyDisk *disk;
  Record *record;
  sqlite3_file *real;
} File;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static FaultyDisk *disks;
static sqlite3_vfs *realVFS;
static sqlite3_vfs faultyVFS;

// MARK: Images

static void reserve(Image *image, size_t count) {
  if (count <= image->count) return;
  image->bytes = realloc(image->bytes, count);
  memset(image->bytes + image->count, 0, count - image->count);
  image->count = count;
}

// The first `count` bytes of a write; a truncation as a whole.
static void apply(Image *image, const Pending *pending, size_t count) {
  if (pending->count == 0) {
    reserve(image, (size_t)pending->offset);
    image->count = (size_t)pending->offset;
  } else if (count > 0) {
    reserve(image, (size_t)pending->offset + count);
    memcpy(image->bytes + pending->offset, pending->bytes, count);
  }
}

static void forget(Record *record) {
  while (record->first) {
    Pending *pending = record->first;
    record->first = pending->next;
    free(pending);
  }
  record->last = &record->first;
}

static void note(Record *record, const void *bytes, size_t count, sqlite3_int64 offset) {
  Pending *pending = malloc(sizeof(Pending) + count);
  pending->next = NULL;
  pending->offset = offset;
  pending->count = count;
  if (count) memcpy(pending->bytes, bytes, count);
  *record->last = pending;
  record->last = &pending->next;
}

static void makeDurable(Record *record) {
  for (Pending *pending = record->first; pending; pending = pending->next)
    apply(&record->durable, pending, pending->count);
  record->exists = 1;
  forget(record);
}

// Durably gone: what is made under the name from now on is another file.
static void vanish(Record *record) {
  record->exists = record->isDeleted = 0;
  record->durable.count = 0;
}

// MARK: Records

static FaultyDisk *diskOf(const char *path) {
  for (FaultyDisk *disk = disks; path && disk; disk = disk->next) {
    size_t count = strlen(disk->directory);
    if (strncmp(path, disk->directory, count) == 0 && path[count] == '/') return disk;
  }
  return NULL;
}

static Record *find(FaultyDisk *disk, const char *path) {
  for (Record *record = disk->records; record; record = record->next)
    if (strcmp(record->path, path) == 0) return record;
  return NULL;
}

// What is there when a file is first seen was synced by somebody.
static Record *recordOf(FaultyDisk *disk, const char *path) {
  Record *record = find(disk, path);
  if (record) return record;
  record = calloc(1, sizeof(Record));
  record->path = strdup(path);
  record->last = &record->first;
  FILE *file = fopen(path, "rb");
  if (file) {
    record->exists = 1;
    fseek(file, 0, SEEK_END);
    long count = ftell(file);
    reserve(&record->durable, (size_t)count);
    rewind(file);
    if (count > 0 && fread(record->durable.bytes, 1, (size_t)count, file) != (size_t)count) record->exists = 0;
    fclose(file);
  }
  record->next = disk->records;
  disk->records = record;
  return record;
}

// Whether the operation takes place.
static int proceeds(FaultyDisk *disk) {
  if (!disk->isCut && disk->cutAfter && --disk->cutAfter == 0) disk->isCut = 1;
  return !disk->isCut;
}

static int isDue(uint64_t *countdown) { return *countdown && --*countdown == 0; }

// MARK: One file

static int fileClose(sqlite3_file *base) {
  sqlite3_file *real = ((File *)base)->real;
  return real->pMethods ? real->pMethods->xClose(real) : SQLITE_OK;
}

static int fileRead(sqlite3_file *base, void *bytes, int count, sqlite3_int64 offset) {
  File *file = (File *)base;
  if (file->disk->isCut) return SQLITE_IOERR_READ;
  return file->real->pMethods->xRead(file->real, bytes, count, offset);
}

static int fileWrite(sqlite3_file *base, const void *bytes, int count, sqlite3_int64 offset) {
  File *file = (File *)base;
  pthread_mutex_lock(&lock);
  int result = SQLITE_IOERR_WRITE;
  if (proceeds(file->disk)) {
    if (isDue(&file->disk->failWriteAfter)) {
      if (file->disk->failsFull) result = SQLITE_FULL;
    } else {
      note(file->record, bytes, (size_t)count, offset);
      result = file->real->pMethods->xWrite(file->real, bytes, count, offset);
    }
  }
  pthread_mutex_unlock(&lock);
  return result;
}

static int fileTruncate(sqlite3_file *base, sqlite3_int64 size) {
  File *file = (File *)base;
  pthread_mutex_lock(&lock);
  int result = SQLITE_IOERR_TRUNCATE;
  if (proceeds(file->disk)) {
    note(file->record, NULL, 0, size);
    result = file->real->pMethods->xTruncate(file->real, size);
  }
  pthread_mutex_unlock(&lock);
  return result;
}

// The real disk is not asked: the image is the disk.
static int fileSync(sqlite3_file *base, int flags) {
  (void)flags;
  File *file = (File *)base;
  pthread_mutex_lock(&lock);
  int result = SQLITE_IOERR_FSYNC;
  if (proceeds(file->disk) && !isDue(&file->disk->failSyncAfter)) {
    file->disk->syncs += 1;
    if (!file->disk->ignoresSyncs) makeDurable(file->record);
    result = SQLITE_OK;
  }
  pthread_mutex_unlock(&lock);
  return result;
}

static int fileSize(sqlite3_file *base, sqlite3_int64 *size) {
  File *file = (File *)base;
  if (file->disk->isCut) return SQLITE_IOERR_FSTAT;
  return file->real->pMethods->xFileSize(file->real, size);
}

#define PASS(name, parameters, ...)                                    \
  static int file##name parameters {                                   \
    sqlite3_file *real = ((File *)base)->real;                         \
    return real->pMethods->x##name(real __VA_OPT__(, ) __VA_ARGS__);   \
  }

PASS(Lock, (sqlite3_file * base, int level), level)
PASS(Unlock, (sqlite3_file * base, int level), level)
PASS(CheckReservedLock, (sqlite3_file * base, int *result), result)
PASS(FileControl, (sqlite3_file * base, int operation, void *argument), operation, argument)
PASS(SectorSize, (sqlite3_file * base))
PASS(DeviceCharacteristics, (sqlite3_file * base))
PASS(ShmMap, (sqlite3_file * base, int page, int size, int extends, void volatile **map), page, size, extends, map)
PASS(ShmLock, (sqlite3_file * base, int offset, int count, int flags), offset, count, flags)
PASS(ShmUnmap, (sqlite3_file * base, int deletes), deletes)

static void fileShmBarrier(sqlite3_file *base) {
  sqlite3_file *real = ((File *)base)->real;
  real->pMethods->xShmBarrier(real);
}

// Version 2: no memory-mapped reading, which would pass by the image.
static const sqlite3_io_methods methods = {
  2, fileClose, fileRead, fileWrite, fileTruncate, fileSync, fileSize, fileLock, fileUnlock, fileCheckReservedLock,
  fileFileControl, fileSectorSize, fileDeviceCharacteristics, fileShmMap, fileShmLock, fileShmBarrier, fileShmUnmap,
  NULL, NULL,
};

// MARK: The file system

static int vfsOpen(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags, int *outFlags) {
  (void)vfs;
  pthread_mutex_lock(&lock);
  FaultyDisk *disk = diskOf(path);
  Record *record = disk ? recordOf(disk, path) : NULL;
  // File systems keep the order of two changes of one name.
  if (record && record->isDeleted) vanish(record);
  pthread_mutex_unlock(&lock);
  if (!disk) return realVFS->xOpen(realVFS, path, base, flags, outFlags);
  File *file = (File *)base;
  memset(file, 0, sizeof(File));
  if (disk->isCut) return SQLITE_CANTOPEN;
  file->disk = disk;
  file->record = record;
  file->real = (sqlite3_file *)(file + 1);
  int result = realVFS->xOpen(realVFS, path, file->real, flags, outFlags);
  if (file->real->pMethods) file->base.pMethods = &methods;
  return result;
}

static int vfsDelete(sqlite3_vfs *vfs, const char *path, int syncs) {
  (void)vfs;
  pthread_mutex_lock(&lock);
  FaultyDisk *disk = diskOf(path);
  int result = SQLITE_IOERR_DELETE;
  if (!disk || proceeds(disk)) {
    result = realVFS->xDelete(realVFS, path, syncs);
    // Not synced, it may come back with what was durable in it.
    Record *record = disk && result == SQLITE_OK ? find(disk, path) : NULL;
    if (record) {
      forget(record);
      record->isDeleted = 1;
      if (syncs) vanish(record);
    }
  }
  pthread_mutex_unlock(&lock);
  return result;
}

static void install(void) {
  realVFS = sqlite3_vfs_find(NULL);
  faultyVFS = *realVFS;
  faultyVFS.zName = "faulty";
  faultyVFS.pNext = NULL;
  faultyVFS.szOsFile = (int)sizeof(File) + realVFS->szOsFile;
  faultyVFS.xOpen = vfsOpen;
  faultyVFS.xDelete = vfsDelete;
  sqlite3_vfs_register(&faultyVFS, 1);
}

// MARK: Disks

FaultyDisk *faultyDiskOpen(const char *directory) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, install);
  FaultyDisk *disk = calloc(1, sizeof(FaultyDisk));
  disk->directory = strdup(directory);
  pthread_mutex_lock(&lock);
  disk->next = disks;
  disks = disk;
  pthread_mutex_unlock(&lock);
  return disk;
}

void faultyDiskClose(FaultyDisk *disk) {
  pthread_mutex_lock(&lock);
  for (FaultyDisk **place = &disks; *place; place = &(*place)->next) {
    if (*place == disk) {
      *place = disk->next;
      break;
    }
  }
  pthread_mutex_unlock(&lock);
  while (disk->records) {
    Record *record = disk->records;
    disk->records = record->next;
    forget(record);
    free(record->durable.bytes);
    free(record->path);
    free(record);
  }
  free(disk->directory);
  free(disk);
}

void faultyDiskCutAfter(FaultyDisk *disk, uint64_t operations) { disk->cutAfter = operations; }
void faultyDiskCut(FaultyDisk *disk) { disk->isCut = 1; }
int faultyDiskIsCut(FaultyDisk *disk) { return disk->isCut; }
void faultyDiskFailSync(FaultyDisk *disk, uint64_t after) { disk->failSyncAfter = after; }
void faultyDiskIgnoreSyncs(FaultyDisk *disk, int ignores) { disk->ignoresSyncs = ignores; }
uint64_t faultyDiskSyncs(const FaultyDisk *disk) { return disk->syncs; }

void faultyDiskFailWrite(FaultyDisk *disk, uint64_t after, int isFull) {
  disk->failWriteAfter = after;
  disk->failsFull = isFull;
}

// splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
static uint64_t draw(uint64_t *state) {
  uint64_t bits = *state += 0x9E3779B97F4A7C15u;
  bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9u;
  bits = (bits ^ bits >> 27) * 0x94D049BB133111EBu;
  return bits ^ bits >> 31;
}

static int writeBack(Record *record) {
  if (!record->exists) {
    unlink(record->path);
    return 0;
  }
  FILE *file = fopen(record->path, "wb");
  if (!file) return -1;
  size_t written = record->durable.count ? fwrite(record->durable.bytes, 1, record->durable.count, file) : 0;
  return fclose(file) == 0 && written == record->durable.count ? 0 : -1;
}

int faultyDiskRestore(FaultyDisk *disk, uint64_t seed) {
  int result = 0;
  pthread_mutex_lock(&lock);
  for (Record *record = disk->records; record; record = record->next) {
    for (Pending *pending = record->first; pending; pending = pending->next) {
      uint64_t fate = draw(&seed) % 4;
      if (fate == 0) continue;
      size_t count = pending->count;
      if (fate == 1) count = draw(&seed) % (count / sectorBytes + 1) * sectorBytes;
      apply(&record->durable, pending, count);
      record->exists = 1;
    }
    forget(record);
    if (record->isDeleted && draw(&seed) % 2) vanish(record);
    record->isDeleted = 0;
    if (writeBack(record) != 0) result = -1;
  }
  // The index of the write-ahead log is memory, not disk.
  for (Record *record = disk->records; record; record = record->next) {
    char name[4096];
    snprintf(name, sizeof name, "%s-shm", record->path);
    unlink(name);
  }
  disk->isCut = 0;
  disk->cutAfter = disk->failWriteAfter = disk->failSyncAfter = 0;
  pthread_mutex_unlock(&lock);
  return result;
}
