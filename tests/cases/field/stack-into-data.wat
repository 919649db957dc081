;; After wasm4 #255 and rust #126747: a shadow stack that grows down into the data, as linkers lay memory out by default.
;; Data at 1024, stack from 1280 down. Each level of the recursion takes 48 bytes; a table of texts is below.
;; RUN: compare % --rhs capi:jit,lib={libwasmi-2.0.0-beta.3.so}
;; JSON: /agree true
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (global $sp (mut i32) (i32.const 1280))
  (data (i32.const 1024) "total: ok   \n")
  (data (i32.const 1056) "\00\04\00\00\0d\00\00\00")     ;; iovec: 1024, 13
  (func $visit (param $level i32) (result i32)
    (local $frame i32) (local $r i32)
    (local.set $frame (i32.sub (global.get $sp) (i32.const 48)))
    (global.set $sp (local.get $frame))
    (i32.store (local.get $frame) (local.get $level))
    (i32.store offset=4 (local.get $frame) (i32.const 0x41414141))
    (i32.store offset=40 (local.get $frame) (i32.const 0x42424242))
    (if (local.get $level)
      (then (local.set $r (call $visit (i32.sub (local.get $level) (i32.const 1))))))
    (local.set $r (i32.add (local.get $r) (i32.load (local.get $frame))))
    (global.set $sp (i32.add (local.get $frame) (i32.const 48)))
    (local.get $r))
  (func (export "_start")
    (drop (call $visit (i32.const 5)))
    (drop (call $fd_write (i32.const 1) (i32.const 1056) (i32.const 1) (i32.const 1072)))))
