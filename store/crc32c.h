/* crc32c.h: the checksum of stored bodies (CRC-32C, Castagnoli; RFC 3720 appendix B.4 has test values).
 * Pure; any thread. */
#ifndef FL_CRC32C_H
#define FL_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from crc (0 at the beginning) over n bytes. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);
/* The same without the processor's own instruction: what other machines get, and what tests compare with. */
uint32_t crc32c_portable(uint32_t crc, const void *p, size_t n);

#endif
