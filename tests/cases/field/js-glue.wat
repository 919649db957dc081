;; The shape of a module made for a web page: the host's functions fill memory and grow it (emscripten, wasm-bindgen).
;; RUN: compare % --invoke 'run 2' --import env.now=1 --import env.read_config=0 --import env.resize_heap=0 --rhs wasmi
;; JSON: /agree true
(module
  (import "env" "now" (func $now (result f64)))
  (import "env" "read_config" (func $read_config (param i32 i32) (result i32)))
  (import "env" "resize_heap" (func $resize_heap (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "run") (param $want i32) (result i32)
    (local $n i32)
    (f64.store (i32.const 8) (call $now))
    (local.set $n (call $read_config (i32.const 64) (i32.const 32)))
    (i32.store (i32.const 16) (local.get $n))
    (if (call $resize_heap (local.get $want))
      (then (i32.store (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4)) (i32.load (i32.const 64)))))
    (i32.load (i32.const 64))))
