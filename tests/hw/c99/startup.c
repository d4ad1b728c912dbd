/* The first words of memory: where the stack begins, and where the program does. newlib's _start does the rest. */
#include <stdint.h>

extern uint32_t __StackTop;
extern void _start(void);
void reset(void);
void _init(void);
void _fini(void);

void _init(void)
{
}

void _fini(void)
{
}

void reset(void)
{
    _start();
}

static void stop(void)
{
    for (;;) {
    }
}

__attribute__((section(".vectors"), used)) static void *const vectors[16] = {
    &__StackTop, reset, stop, stop, stop, stop, stop, 0, 0, 0, 0, stop, stop, 0, stop, stop
};
