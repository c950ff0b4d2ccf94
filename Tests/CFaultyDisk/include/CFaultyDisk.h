#ifndef CFAULTYDISK_H
#define CFAULTYDISK_H

#include <stdint.h>

/// Disks that fail, for tests: a SQLite VFS (https://www.sqlite.org/vfs.html) over the real one. Files under a watched
/// directory are real, so everything reads them as usual; beside them it keeps what a power cut would leave: what was
/// synced, and the writes since, any of which may have reached the disk or not, whole or torn.
///
/// `kill -9` cannot test this: the kernel's page cache outlives the process.
typedef struct FaultyDisk FaultyDisk;

/// Watches the files that SQLite opens under this directory from now on. The VFS becomes the process's default with the
/// first disk; files elsewhere are passed through.
FaultyDisk *faultyDiskOpen(const char *directory);
void faultyDiskClose(FaultyDisk *disk);

/// The power goes before the n-th write, truncation or sync from now (1 is the next): that and everything after it
/// fails.
void faultyDiskCutAfter(FaultyDisk *disk, uint64_t operations);
/// The power goes now.
void faultyDiskCut(FaultyDisk *disk);
int faultyDiskIsCut(FaultyDisk *disk);

/// The n-th write from now fails, once: the disk is full, or the device reports an error.
void faultyDiskFailWrite(FaultyDisk *disk, uint64_t after, int isFull);
/// The n-th sync from now fails, once.
void faultyDiskFailSync(FaultyDisk *disk, uint64_t after);
/// Every sync from now on claims success and does nothing: a disk that lies.
void faultyDiskIgnoreSyncs(FaultyDisk *disk, int ignores);

/// The power is back: the files hold what was synced and, drawn by the seed, some of what was not, the writes at sector
/// boundaries torn. Nothing may have them open.
/// Returns 0, or -1 if a file cannot be written.
int faultyDiskRestore(FaultyDisk *disk, uint64_t seed);

uint64_t faultyDiskSyncs(const FaultyDisk *disk);

#endif
