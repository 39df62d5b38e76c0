/* A FAKE of NVIDIA's management library, for tests: two GPUs, the second of which tells no power and has gone hot.
   It is strict: a call before nvmlInit_v2, with a null pointer, a short buffer or an unknown handle answers an error. */
#include <string.h>

typedef struct { unsigned gpu, memory; } utilization;
typedef struct { unsigned long long total, free, used; } memory;
static int begun, devices[2];

int nvmlInit_v2(void) { begun = 1; return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { if (!begun || !count) return 2; *count = 3; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
    if (!begun || !handle) return 2;
    if (index > 1) return 15; /* NVML_ERROR_GPU_IS_LOST */
    *handle = &devices[index];
    return 0;
}
static int number(void *handle) { return handle == &devices[0] ? 0 : handle == &devices[1] ? 1 : -1; }
static int text(char *to, unsigned length, const char *what) {
    if (!begun || !to || length < 64) return 7;
    strcpy(to, what);
    return 0;
}
int nvmlSystemGetDriverVersion(char *to, unsigned length) { return text(to, length, "550.54.15"); }
int nvmlSystemGetCudaDriverVersion_v2(int *version) { if (!version) return 2; *version = 12040; return 0; }
int nvmlDeviceGetName(void *handle, char *to, unsigned length) {
    return number(handle) < 0 ? 2 : text(to, length, "Fake H200");
}
int nvmlDeviceGetUUID(void *handle, char *to, unsigned length) {
    return number(handle) < 0 ? 2 : text(to, length, number(handle) ? "GPU-1" : "GPU-0");
}
int nvmlDeviceGetMemoryInfo(void *handle, memory *to) {
    if (number(handle) < 0 || !to) return 2;
    to->total = 150000000000ULL; to->used = 1000000000ULL * (number(handle) + 1); to->free = to->total - to->used;
    return 0;
}
int nvmlDeviceGetUtilizationRates(void *handle, utilization *to) {
    if (number(handle) < 0 || !to) return 2;
    to->gpu = 42 + number(handle); to->memory = 7;
    return 0;
}
int nvmlDeviceGetTemperature(void *handle, unsigned sensor, unsigned *to) {
    if (number(handle) < 0 || sensor != 0 || !to) return 2;
    *to = 60 + 25 * number(handle);
    return 0;
}
int nvmlDeviceGetPowerUsage(void *handle, unsigned *to) {
    if (number(handle) != 0 || !to) return 3; /* NVML_ERROR_NOT_SUPPORTED */
    *to = 321500;
    return 0;
}
