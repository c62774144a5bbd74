/* An NVIDIA driver of which everything stands in a file, named by NVML_DOUBLE, that each call reads anew.

   driver CODE LOADED                  CODE: what nvmlInit returns; LOADED: which loading of the driver it is
   gpu PARENT TOTAL RESERVED USED USE POWER LIMIT HEAT ENERGY UUID NAME    PARENT: -1, or whose MIG device it is
   process GPU graphics|compute PID BYTES                      BYTES: -1 where hidden
   fails FUNCTION GPU CODE                                     GPU: -1 for each

   GPUs are numbered as they stand in the file. Units are NVML's: bytes, percent, milliwatts, millijoules. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 16
enum { SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, ABSENT = 9 };

typedef unsigned long long Bytes;
typedef struct { int parent; Bytes total, reserved, used; unsigned use, power, limit, heat; Bytes energy;
                 char uuid[96], name[96]; } Gpu;
typedef struct { int gpu, graphics; unsigned pid; long long bytes; } Process;
typedef struct { char function[96]; int gpu, code; } Failure;
typedef struct { int code, loaded, gpus, processes, failures; Gpu gpu[MOST]; Process process[MOST];
                 Failure failure[MOST]; } World;

typedef struct { Bytes total, free, used; } Memory;
typedef struct { unsigned version; Bytes total, reserved, free, used; } Memory2;
typedef struct { unsigned gpu, memory; } Use;
typedef struct { unsigned pid; Bytes bytes; unsigned instance, part; } Listed;

static int connected_to = -1, connections = 0;

static World read_world(void) {
    World w = {.code = ABSENT};
    char line[512], kind[16];
    FILE *file = fopen(getenv("NVML_DOUBLE"), "r");
    while (file && fgets(line, sizeof line, file)) {
        Gpu *g = &w.gpu[w.gpus];
        Process *p = &w.process[w.processes];
        Failure *f = &w.failure[w.failures];
        sscanf(line, "driver %d %d", &w.code, &w.loaded);
        w.gpus += 11 == sscanf(line, "gpu %d %llu %llu %llu %u %u %u %u %llu %95s %95[^\n]", &g->parent, &g->total,
            &g->reserved, &g->used, &g->use, &g->power, &g->limit, &g->heat, &g->energy, g->uuid, g->name);
        if (4 == sscanf(line, "process %d %15s %u %lld", &p->gpu, kind, &p->pid, &p->bytes)) {
            p->graphics = !strcmp(kind, "graphics");
            w.processes++;
        }
        w.failures += 3 == sscanf(line, "fails %95s %d %d", f->function, &f->gpu, &f->code);
    }
    if (file) fclose(file);
    return w;
}

static int failure(const World *w, const char *function, int gpu) {
    if (w->code) return w->code;
    if (connected_to != w->loaded) return UNINITIALIZED;
    for (int i = 0; i < w->failures; i++) {
        const Failure *f = &w->failure[i];
        if ((f->gpu < 0 || f->gpu == gpu) && (!strcmp(f->function, function) || !strcmp(f->function, "all")))
            return f->code;
    }
    return gpu >= w->gpus ? INVALID_ARGUMENT : SUCCESS;
}

/* A handle is a GPU's number and one. Reads the world, and returns where the call fails. */
#define ASK(gpu)                                        \
    World w = read_world();                             \
    int failed = failure(&w, __func__, (int)(gpu));     \
    if (failed) return failed
#define ASK_OF(handle)                                  \
    int at = (int)(size_t)(handle) - 1;                 \
    ASK(at)

int nvmlDoubleConnections(void) { return connections; }

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    World w = read_world();
    if (w.code) return w.code;
    connected_to = w.loaded;
    connections++;
    return SUCCESS;
}

int nvmlShutdown(void) {
    connections--;
    return SUCCESS;
}

const char *nvmlErrorString(int code) { return code == 15 ? "GPU is lost" : "an error"; }

static int nth(const World *w, int parent, unsigned index) {
    for (int i = 0; i < w->gpus; i++)
        if (w->gpu[i].parent == parent && index-- == 0) return i;
    return -1;
}

static unsigned count(const World *w, int parent) {
    unsigned found = 0;
    while (nth(w, parent, found) >= 0) found++;
    return found;
}

int nvmlDeviceGetCount_v2(unsigned *found) {
    ASK(-1);
    *found = count(&w, -1);
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
    World now = read_world();
    int at = nth(&now, -1, index);
    ASK(at);
    *handle = (void *)(size_t)(at + 1);
    return at < 0 ? INVALID_ARGUMENT : SUCCESS;
}

int nvmlDeviceGetMigMode(void *handle, unsigned *current, unsigned *pending) {
    ASK_OF(handle);
    *current = *pending = count(&w, at) > 0;
    return SUCCESS;
}

int nvmlDeviceGetMaxMigDeviceCount(void *handle, unsigned *most) {
    ASK_OF(handle);
    *most = 7;
    return SUCCESS;
}

int nvmlDeviceGetMigDeviceHandleByIndex(void *handle, unsigned index, void **part) {
    ASK_OF(handle);
    int found = nth(&w, at, index);
    *part = (void *)(size_t)(found + 1);
    return found < 0 ? NOT_FOUND : SUCCESS;
}

int nvmlDeviceGetUUID(void *handle, char *into, unsigned length) {
    ASK_OF(handle);
    snprintf(into, length, "%s", w.gpu[at].uuid);
    return SUCCESS;
}

int nvmlDeviceGetName(void *handle, char *into, unsigned length) {
    ASK_OF(handle);
    snprintf(into, length, "%s", w.gpu[at].name);
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo(void *handle, Memory *into) {
    ASK_OF(handle);
    const Gpu *g = &w.gpu[at];
    into->total = g->total;
    into->used = g->reserved + g->used; /* version 1 counts as used what the driver keeps */
    into->free = into->total - into->used;
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo_v2(void *handle, Memory2 *into) {
    ASK_OF(handle);
    const Gpu *g = &w.gpu[at];
    into->total = g->total;
    into->reserved = g->reserved;
    into->used = g->used;
    into->free = g->total - g->reserved - g->used;
    return SUCCESS;
}

static int list(const World *w, int at, int graphics, unsigned *length, Listed *into) {
    unsigned room = *length, found = 0;
    for (int i = 0; i < w->processes; i++) {
        const Process *p = &w->process[i];
        if (p->gpu != at || p->graphics != graphics) continue;
        if (found < room) into[found] = (Listed){p->pid, (Bytes)p->bytes, ~0u, ~0u};
        found++;
    }
    *length = found;
    return found > room ? INSUFFICIENT_SIZE : SUCCESS;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned *length, Listed *into) {
    ASK_OF(handle);
    return list(&w, at, 0, length, into);
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(void *handle, unsigned *length, Listed *into) {
    ASK_OF(handle);
    return list(&w, at, 1, length, into);
}

int nvmlDeviceGetUtilizationRates(void *handle, Use *into) {
    ASK_OF(handle);
    into->gpu = w.gpu[at].use;
    into->memory = 0;
    return SUCCESS;
}

int nvmlDeviceGetPowerUsage(void *handle, unsigned *into) {
    ASK_OF(handle);
    *into = w.gpu[at].power;
    return SUCCESS;
}

int nvmlDeviceGetEnforcedPowerLimit(void *handle, unsigned *into) {
    ASK_OF(handle);
    *into = w.gpu[at].limit;
    return SUCCESS;
}

int nvmlDeviceGetTemperature(void *handle, int sensor, unsigned *into) {
    (void)sensor;
    ASK_OF(handle);
    *into = w.gpu[at].heat;
    return SUCCESS;
}

int nvmlDeviceGetTotalEnergyConsumption(void *handle, Bytes *into) {
    ASK_OF(handle);
    *into = w.gpu[at].energy;
    return SUCCESS;
}
