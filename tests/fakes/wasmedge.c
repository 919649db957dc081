/* A library with WasmEdge's C interface that knows one module and plays what it does: two stores, its arguments as
   its results. Compiled with RELEASE=13, 14 or 17 for the three variants of the interface. What the variants leave
   undefined is filled with what must not be believed. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef struct { uint32_t Code; } Result;
typedef struct { uint32_t Length; const char *Buf; } String;

#if RELEASE >= 14
typedef struct { uint8_t Data[8]; } Type;
/* The first bytes say nothing. */
static Type type_of(uint8_t code) {
  static uint8_t garbage;
  Type type = {{garbage++, garbage, code, code, 0, 0, 0, 1}};
  return type;
}
static bool same(Type a, Type b) { return memcmp(a.Data + 2, b.Data + 2, 6) == 0; }
bool WasmEdge_ValTypeIsEqual(const Type a, const Type b) { return same(a, b); }
#else
typedef enum { I32 = 0x7F, I64 = 0x7E, F32 = 0x7D, F64 = 0x7C, V128 = 0x7B } Type;
static Type type_of(uint8_t code) { return (Type)code; }
static bool same(Type a, Type b) { return a == b; }
#endif

typedef struct { unsigned __int128 Value; Type Kind; } Value;
typedef Result (*HostFunction)(void *, const void *, const Value *, Value *);

static Value value(unsigned __int128 bits, uint8_t code) {
  Value made;
  memset(&made, 0xA5, sizeof made);
  made.Value = bits;
  made.Kind = type_of(code);
  return made;
}

static const Result Fine = {0}, Trap = {0x88}, Refused = {0x20};
static char *module;
static size_t length;
static struct { HostFunction call; void *data; } hook, wasi_call;
static uint8_t memory[1 << 16], buffer[17 << 16] __attribute__((aligned(4096)));
static int proposals[64], mode = -1;
/* The limit of memories that was set, and the maximum of the imported one. */
static uint64_t page_limit, maximum;

static bool has(const char *text) { return module && memmem(module, length, text, strlen(text)); }

static Result read_module(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) return Refused;
  module = malloc(1 << 20);
  length = fread(module, 1, 1 << 20, file);
  fclose(file);
  return Fine;
}

uint32_t WasmEdge_VersionGetMajor(void) { return 0; }
/* A library that is built from an archive of the sources does not know its version. */
#ifdef ARCHIVE
uint32_t WasmEdge_VersionGetMinor(void) { return 0; }
uint32_t WasmEdge_VersionGetPatch(void) { return 0; }
#else
uint32_t WasmEdge_VersionGetMinor(void) { return RELEASE; }
uint32_t WasmEdge_VersionGetPatch(void) { return 5; }
#endif
void WasmEdge_LogOff(void) {}
void *WasmEdge_ConfigureCreate(void) { return proposals; }
void WasmEdge_ConfigureAddProposal(int *config, int number) { config[number] = 1; }
void WasmEdge_ConfigureRemoveProposal(int *config, int number) { config[number] = 0; }
void WasmEdge_ConfigureSetForceInterpreter(void *config, bool force) { (void)config; mode = force ? 0 : 2; }
void WasmEdge_ConfigureSetMaxMemoryPage(void *config, uint64_t pages) { (void)config; page_limit = pages; }
#if RELEASE >= 17
void WasmEdge_ConfigureSetRunMode(void *config, int asked) { (void)config; mode = asked; }
#endif
void WasmEdge_ConfigureCompilerSetOptimizationLevel(void *config, int level) { (void)config; (void)level; }
void WasmEdge_ConfigureCompilerSetOutputFormat(void *config, int format) { (void)config; (void)format; }
void *WasmEdge_CompilerCreate(const void *config) { return (void *)config; }
Result WasmEdge_CompilerCompile(void *compiler, const char *from, const char *to) {
  (void)compiler;
  if (read_module(from).Code) return Refused;
  FILE *file = fopen(to, "wb");
  fwrite(module, 1, length, file);
  fclose(file);
  return Fine;
}

void *WasmEdge_LoaderCreate(const void *config) { return (void *)config; }
Result WasmEdge_LoaderParseFromFile(void *loader, void **ast, const char *path) {
  *ast = loader;
  return read_module(path);
}
static bool records(void) { return has("\x09" "forkpoint\x05" "event") || has("\x09" "forkpoint\x05" "flush"); }
/* The module may import a memory, too, of one page and at most ten: this stands for it and its type. */
static const char imported_memory;
static bool imports_memory(void) { return has("\x03" "env" "\x01" "m"); }
/* And random_get, which the library has itself, as the only function of its WASI. */
static const char wasi_import;
static bool imports_wasi(void) { return has("\x0a" "random_get"); }
uint32_t WasmEdge_ASTModuleListImportsLength(const void *ast) {
  (void)ast;
  return records() + imports_memory() + imports_wasi();
}
uint32_t WasmEdge_ASTModuleListImports(const void *ast, const void **imports, uint32_t room) {
  uint32_t count = 0;
  if (imports_memory() && count < room) imports[count++] = &imported_memory;
  if (imports_wasi() && count < room) imports[count++] = &wasi_import;
  if (records() && count < room) imports[count++] = ast;
  return count;
}
int WasmEdge_ImportTypeGetExternalType(const void *import) { return import == &imported_memory ? 2 : 0; }
String WasmEdge_ImportTypeGetModuleName(const void *import) {
  if (import == &wasi_import) return (String){22, "wasi_snapshot_preview1XX"};
  return import == &imported_memory ? (String){3, "envXX"} : (String){9, "forkpointXX"};
}
String WasmEdge_ImportTypeGetExternalName(const void *import) {
  if (import == &imported_memory) return (String){1, "mXX"};
  if (import == &wasi_import) return (String){10, "random_getXX"};
  return (String){5, has("\x05" "event") ? "event" : "flush"};
}
const void *WasmEdge_ImportTypeGetFunctionType(const void *ast, const void *import) {
  return import == &wasi_import ? import : ast;
}
const void *WasmEdge_ImportTypeGetMemoryType(const void *ast, const void *import) { (void)ast; return import; }
#if RELEASE >= 17
const void *WasmEdge_MemoryTypeGetLimit(const void *type) { return type; }
uint64_t WasmEdge_LimitGetMin(const void *limit) { return limit ? 1 : 0; }
uint64_t WasmEdge_LimitGetMax(const void *limit) { return limit ? 10 : 0; }
bool WasmEdge_LimitHasMax(const void *limit) { return limit != NULL; }
bool WasmEdge_LimitIsShared(const void *limit) { return limit == NULL; }
bool WasmEdge_LimitIs64Bit(const void *limit) { return limit == NULL; }
void *WasmEdge_LimitCreateWithMax(uint64_t min, uint64_t max, bool is64, bool shared) {
  if (min == 1 && !is64 && !shared) maximum = max;
  return &maximum;
}
void *WasmEdge_MemoryTypeCreate(const void *limit) { return (void *)limit; }
#else
typedef struct { bool HasMax, Shared; uint32_t Min, Max; } Limit;
Limit WasmEdge_MemoryTypeGetLimit(const void *type) { (void)type; return (Limit){true, false, 1, 10}; }
void *WasmEdge_MemoryTypeCreate(const Limit limit) {
  if (limit.HasMax && !limit.Shared && limit.Min == 1) maximum = limit.Max;
  return &maximum;
}
#endif

void *WasmEdge_VMCreate(const void *config, void *store) { return store ? NULL : (void *)config; }
Result WasmEdge_VMRegisterModuleFromImport(void *vm, const void *import) { (void)vm; return import ? Fine : Refused; }
Result WasmEdge_VMLoadWasmFromFile(void *vm, const char *path) { (void)vm; return read_module(path); }
Result WasmEdge_VMValidate(void *vm) {
  (void)vm;
  /* The number of multi-memory, as this release has it. */
  return proposals[RELEASE >= 14 ? 11 : 8] ? Fine : Refused;
}
/* A JIT leaves native code behind; one that has failed (NO_CODE) says no word of it. */
Result WasmEdge_VMInstantiate(void *vm) {
  (void)vm;
#ifndef NO_CODE
  if (mode == 1) mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
#endif
  uint64_t wanted = page_limit && imports_memory() ? (page_limit < 10 ? page_limit : 10) : 0;
#ifdef HALF_WAY
  /* The first segment is copied, and the second one does not fit. */
  memcpy(memory + 16, "first", 5);
  return Refused;
#endif
  return mode < 0 || maximum != wanted ? Refused : Fine;
}
const void *WasmEdge_VMGetActiveModule(const void *vm) { return vm; }
const void *WasmEdge_VMGetFunctionType(const void *vm, String name) {
  return memcmp(name.Buf, "run", 3) == 0 || memcmp(name.Buf, "oops", 4) == 0 || memcmp(name.Buf, "lost", 4) == 0 ||
                 memcmp(name.Buf, "crash", 5) == 0 || memcmp(name.Buf, "host", 4) == 0
             ? vm
             : NULL;
}
uint32_t WasmEdge_FunctionTypeGetParametersLength(const void *type) { (void)type; return 2; }
uint32_t WasmEdge_FunctionTypeGetReturnsLength(const void *type) { return type == &wasi_import ? 1 : 2; }

static void put(uint8_t *place, uint32_t word) { memcpy(place, &word, 4); }

static Result store(uint32_t site, uint32_t address, uint32_t what) {
  put(memory + address, what);
  if (!hook.call || !has("\x05" "event")) return Fine;
  Value arguments[4] = {value(site, 0x7F), value(address, 0x7E), value(what, 0x7E), value(0, 0x7E)};
  return hook.call(hook.data, NULL, arguments, NULL);
}

Result WasmEdge_VMExecute(void *vm, String name, const Value *arguments, uint32_t count, Value *results, uint32_t room) {
  (void)vm;
  if (has("sched_yield")) {
    /* The module that asks whether there is a host. */
    results[0] = results[1] = value(0, 0x7F);
    return Fine;
  }
  if (name.Buf[0] == 'o') return Trap;
  if (name.Buf[0] == 'h') {
    /* Eight random bytes at its second argument. */
    Value asked[2] = {value((uint32_t)arguments[1].Value, 0x7F), value(8, 0x7F)}, number;
    /* Where it calls from, as the rewritten code says it. */
    Value place[4] = {value(5, 0x7F), value(1, 0x7E), value(0, 0x7E), value(0, 0x7E)};
    if (hook.call && has("\x05" "event")) hook.call(hook.data, NULL, place, NULL);
    Result answer = wasi_call.call(wasi_call.data, NULL, asked, &number);
    if (answer.Code) return answer;
    results[0] = value(arguments[0].Value, 0x7D);
    results[1] = value((uint32_t)number.Value, 0x7E);
    return Fine;
  }
  if (name.Buf[0] == 'c') {
    /* What the code leaves before it crashes: the number of a mark, in its buffer or told to the hook. */
    put(buffer + 8, 2);
    Value arguments[4] = {value(4, 0x7F), value(2, 0x7E), value(0, 0x7E), value(0, 0x7E)};
    if (hook.call && has("\x05" "event")) hook.call(hook.data, NULL, arguments, NULL);
    abort();
  }
  if (name.Buf[0] == 'l') {
    /* Compiled code that forgets its last store before a trap: with a call of the hook behind it, it cannot. Records of
       its own it forgets as well, be it alone (FORGETS_RECORDS). */
#ifdef FORGETS_RECORDS
    put(memory, 1);
#endif
    if (has("\x05" "event")) store(8, 0, 1);
    return Trap;
  }
  if (count != 2 || room != 2 || !same(arguments[0].Kind, type_of(0x7D)) || !same(arguments[1].Kind, type_of(0x7E)))
    return Refused;
  if (store(8, 0, 1).Code || store(9, 4, 2).Code) return Refused;
  if (has("\x05" "flush")) {
    /* What the rewritten code would have left in its buffer: one segment of two stores. */
    const uint32_t records[] = {16, 0, 1, 4, 2};
    memcpy(buffer + 16, records, sizeof records);
    put(buffer, sizeof records);
  }
  results[0] = value(arguments[0].Value, 0x7D);
  results[1] = value(arguments[1].Value, 0x7E);
  return Fine;
}

/* WASI of its own: a module of which the trampoline imports the one function, and a memory that is the guest's. */
#ifndef NO_WASI
static bool given;
void *WasmEdge_ModuleInstanceCreateWASI(const char *const *arguments, uint32_t count, const char *const *environment,
                                        uint32_t variables, const char *const *directories, uint32_t opened) {
  given = count == 2 && strcmp(arguments[1], "argument") == 0 && variables == 1 &&
          strcmp(environment[0], "NAME=value") == 0 && opened == 1 && strcmp(directories[0], "guest:.") == 0;
  return (void *)&wasi_import;
}
uint32_t WasmEdge_ModuleInstanceWASIGetExitCode(const void *wasi) { return wasi == &wasi_import ? 7 : 0; }
void *WasmEdge_ModuleInstanceFindFunction(const void *in, String name) {
  bool is_wasi = (name.Length == 10 && memcmp(name.Buf, "random_get", 10) == 0) || has("sched_yield");
  bool is_forwarder = name.Length == 1 && name.Buf[0] == '0';
  return in == &wasi_import ? (is_wasi ? &wasi_call : NULL) : (is_forwarder ? &wasi_call : NULL);
}
Result WasmEdge_LoaderParseFromBuffer(void *loader, void **ast, const uint8_t *bytes, uint32_t count) {
  *ast = loader;
  bool fits = memmem(bytes, count, "\x16" "wasi_snapshot_preview1" "\x0a" "random_get", 34) &&
              memmem(bytes, count, "\x00\x06" "memory" "\x02", 9);
  return fits || has("sched_yield") ? Fine : Refused;
}
void *WasmEdge_ValidatorCreate(const void *config) { return (void *)config; }
Result WasmEdge_ValidatorValidate(void *validator, const void *ast) { return validator && ast ? Fine : Refused; }
void *WasmEdge_StoreCreate(void) { return &given; }
void *WasmEdge_ExecutorCreate(const void *config, void *statistics) { return statistics ? NULL : (void *)config; }
Result WasmEdge_ExecutorRegisterImport(void *executor, void *store, const void *instance) {
  return executor && store && instance ? Fine : Refused;
}
Result WasmEdge_ExecutorInstantiate(void *executor, void **instance, void *store, const void *ast) {
  *instance = store;
#ifdef UNFIT
  if (!has("sched_yield")) return Refused;
#endif
  return executor && ast ? Fine : Refused;
}
/* Where it was not given what it should have, it says EINVAL; address 0 stands for an exit. */
Result WasmEdge_ExecutorInvoke(void *executor, const void *function, const Value *arguments, uint32_t count,
                               Value *results, uint32_t room) {
  if (!executor || function != &wasi_call || count != 2 || room != 1) return Refused;
  uint32_t address = (uint32_t)arguments[0].Value;
  if (address == 0) return (Result){1};
  memset(memory + address, 0xAB, (uint32_t)arguments[1].Value);
  results[0] = value(given ? 0 : 28, 0x7F);
  return Fine;
}
#endif

void *WasmEdge_ModuleInstanceCreate(String name) {
  bool known = name.Length == 9 && memcmp(name.Buf, "forkpoint", 9) == 0;
  known = known || (name.Length == 22 && memcmp(name.Buf, "wasi_snapshot_preview1", 22) == 0);
  return known || (name.Length == 3 && memcmp(name.Buf, "env", 3) == 0) ? memory : NULL;
}
void WasmEdge_ModuleInstanceAddFunction(void *to, String name, void *function) { (void)to; (void)name; (void)function; }
void WasmEdge_ModuleInstanceAddMemory(void *to, String name, void *added) { (void)to; (void)name; (void)added; }
void *WasmEdge_ModuleInstanceFindMemory(const void *in, String name) {
  (void)in;
  bool is_buffer = name.Length == 16 && memcmp(name.Buf, "forkpoint:buffer", 16) == 0;
  return is_buffer ? (has("\x05" "flush") ? buffer : NULL) : memory;
}
void *WasmEdge_ModuleInstanceFindGlobal(const void *in, String name) { (void)in; (void)name; return NULL; }
void *WasmEdge_ModuleInstanceFindTable(const void *in, String name) { (void)in; (void)name; return NULL; }
void *WasmEdge_FunctionInstanceCreate(const void *type, HostFunction call, void *data, uint64_t cost) {
  (void)cost;
  if (type == &wasi_import) {
    wasi_call.call = call;
    wasi_call.data = data;
    return (void *)type;
  }
  hook.call = call;
  hook.data = data;
  return (void *)type;
}
/* The module has one memory. */
void *WasmEdge_MemoryInstanceCreate(const void *type) { (void)type; return memory; }
/* Older releases give 32 bits: the rest of the register holds anything. */
uint64_t WasmEdge_MemoryInstanceGetPageSize(const void *of) {
  uint64_t pages = of == buffer ? 17 : 1;
  return RELEASE >= 17 ? pages : pages | 0xDEADBEEFull << 32;
}
/* Refuses: nothing here grows. */
Result WasmEdge_MemoryInstanceGrowPage(void *of, uint64_t pages) { (void)of; (void)pages; return Refused; }
uint8_t *WasmEdge_MemoryInstanceGetPointer(void *of, uint64_t offset, uint64_t size) {
  return offset + size <= (of == buffer ? sizeof buffer : sizeof memory) ? (uint8_t *)of + offset : NULL;
}
Value WasmEdge_GlobalInstanceGetValue(const void *global) { (void)global; return value(0, 0x7F); }
uint64_t WasmEdge_TableInstanceGetSize(const void *table) { (void)table; return 0; }
Value WasmEdge_ValueGenI32(int32_t number) { return value((uint32_t)number, 0x7F); }
Value WasmEdge_ValueGenI64(int64_t number) { return value((uint64_t)number, 0x7E); }
Value WasmEdge_ValueGenF32(float number) { uint32_t bits; memcpy(&bits, &number, 4); return value(bits, 0x7D); }
Value WasmEdge_ValueGenF64(double number) { uint64_t bits; memcpy(&bits, &number, 8); return value(bits, 0x7C); }
Value WasmEdge_ValueGenV128(__int128 number) { return value((unsigned __int128)number, 0x7B); }
bool WasmEdge_ValueIsNullRef(const Value of) { return of.Value == 0; }
/* An exit of the guest is fine, too. */
bool WasmEdge_ResultOK(const Result of) { return of.Code <= 1; }
Result WasmEdge_ResultGen(int category, uint32_t code) { return (Result){(uint32_t)category << 24 | code}; }
const char *WasmEdge_ResultGetMessage(const Result of) {
  return of.Code == Trap.Code ? "out of bounds memory access" : "refused";
}
