/**
 * glibc keeps what it has from the system. Left to itself it gives large arrays back after every batch, or not, as the luck
 * of a process has it, and the page faults of getting them again are up to a third of an epoch: with this in the
 * environment of both sides of a comparison that lottery is not what is compared.
 */
export const keepsMemory = {
  MALLOC_MMAP_THRESHOLD_: String(4 * 1024 ** 3),
  MALLOC_TRIM_THRESHOLD_: String(16 * 1024 ** 3),
};
