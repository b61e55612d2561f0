/* compiler: the few attributes and macros every file uses. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <inttypes.h>

#define RX_PRINTF(f, a)                 __attribute__((format(printf, f, a)))
#define RX_MUST_USE                     __attribute__((warn_unused_result))
#define RX_CLEANUP(fn)                  __attribute__((cleanup(fn)))
#define RX_UNUSED                       __attribute__((unused))
#define RX_NORETURN                     __attribute__((noreturn))
#define RX_COUNT(a)                     (sizeof(a) / sizeof((a)[0]))
#define RX_MIN(a, b)                    ((a) < (b) ? (a) : (b))
#define RX_MAX(a, b)                    ((a) > (b) ? (a) : (b))
#define RX_CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
