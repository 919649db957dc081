// A small simulation with a checksum at its end: what a test would print, and where a difference shows first.
//
// step() uses the relaxed multiply-add, which may round once or twice: the specification allows both. So the
// checksum depends on how an engine compiles it.
//
//   clang --target=wasm32 -nostdlib -O1 -g -msimd128 -mrelaxed-simd -fdebug-compilation-dir=. -Wl,--no-entry \
//     -Wl,--export=__data_end,--export=__heap_base checksum.c -o checksum.wasm
//   forkpoint compare checksum.wasm --invoke 'run 20' --rhs wasmtime:aot,target=portable -o traces
typedef float v4 __attribute__((vector_size(16)));

#if __clang_major__ < 15
#define MADD __builtin_wasm_fma_f32x4
#else
#define MADD __builtin_wasm_relaxed_madd_f32x4
#endif

struct body {
  v4 at, speed;
};

struct {
  int steps;
  struct body bodies[4];
} world;

float energy[4];
unsigned checksum;

static void start(void) {
  for (int i = 0; i < 4; i++) {
    world.bodies[i].at = (v4){1.0f + i, 1.1f, 1.2f, 1.3f};
    world.bodies[i].speed = (v4){0.0f, 0.1f * i, 0.2f, 0.3f};
  }
}

__attribute__((noinline)) static void step(struct body *body) {
  const v4 dt = {0.01f, 0.01f, 0.01f, 0.01f};
  body->speed = MADD(-body->at, dt, body->speed);
  body->at = body->at + body->speed * dt;
}

__attribute__((noinline)) static void measure(int i) {
  v4 squares = world.bodies[i].speed * world.bodies[i].speed;
  energy[i] = squares[0] + squares[1] + squares[2] + squares[3];
}

__attribute__((noinline)) static void sum(void) {
  unsigned hash = 2166136261u;
  for (int i = 0; i < 4; i++) {
    unsigned bits;
    __builtin_memcpy(&bits, &energy[i], sizeof bits);
    hash = (hash ^ bits) * 16777619u;
  }
  checksum = hash;
}

__attribute__((export_name("run"))) unsigned run(int steps) {
  start();
  for (; world.steps < steps; world.steps++)
    for (int i = 0; i < 4; i++) step(&world.bodies[i]);
  for (int i = 0; i < 4; i++) measure(i);
  sum();
  return checksum;
}
