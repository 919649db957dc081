;; Two runs of one program on one engine that come out differently: the time decides which table is used (non-engine cause).
;; RUN: compare % --rhs capi:jit,lib={libwasmi-2.0.0-beta.3.so}
;; JSON: /agree true
(module
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 256) "even\n")
  (data (i32.const 264) "odd \n")
  (func $mix (param $x i64) (result i64)
    (local.set $x (i64.mul (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 33))) (i64.const 0xff51afd7ed558ccd)))
    (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 33))))
  (func (export "_start")
    (local $seed i64)
    (i32.store (i32.const 8) (i32.const 1))
    (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 16)))
    (local.set $seed (call $mix (i64.load (i32.const 16))))
    (i64.store (i32.const 24) (local.get $seed))
    (i32.store (i32.const 64) (select (i32.const 264) (i32.const 256) (i32.wrap_i64 (i64.and (local.get $seed) (i64.const 1)))))
    (i32.store (i32.const 68) (i32.const 5))
    (drop (call $fd_write (i32.const 1) (i32.const 64) (i32.const 1) (i32.const 80)))))
