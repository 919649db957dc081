;; After node 47193 and wasmer #3033: a directory is read with a small buffer, with the cookie of the last whole entry.
;; RUN: compare % --dir REPO/examples --rhs node,program={node}
;; JSON: /agree true
;; JSON: /host "pinned"
;; RUN: compare % --dir REPO/examples --host live --rhs node,program={node-24.20.0}
;; EXIT: 1
;; JSON: /verdict "host-write"
;; JSON: /host_call "fd_readdir(fd=3, buf_len=64, cookie=0)"
;; JSON: /lhs/host ~"wasmtime-wasi"
;; JSON: /rhs/host ~"node:wasi of Node 24.20.0"
;; RUN: compare % --dir REPO/examples --host own --lhs node,program={node-24.20.0} --rhs wasmtime:aot
;; JSON: /agree true
;; JSON: /lhs/host ~"node:wasi of Node 24.20.0"
;; JSON: /rhs/host null
(module
  (import "wasi_snapshot_preview1" "fd_readdir" (func $fd_readdir (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (local $at i32) (local $used i32) (local $name i32) (local $cookie i64) (local $rounds i32)
    (block $done
      (loop $again
        (br_if $done (call $fd_readdir (i32.const 3) (i32.const 4096) (i32.const 64) (local.get $cookie) (i32.const 16)))
        (local.set $used (i32.load (i32.const 16)))
        (local.set $at (i32.const 0))
        (block $refill
          (loop $entry
            (br_if $refill (i32.gt_u (i32.add (local.get $at) (i32.const 24)) (local.get $used)))
            (local.set $name (i32.load offset=4112 (local.get $at)))
            (br_if $refill (i32.gt_u (i32.add (i32.add (local.get $at) (i32.const 24)) (local.get $name)) (local.get $used)))
            (i32.store (i32.const 32) (i32.add (local.get $at) (i32.const 4120)))
            (i32.store (i32.const 36) (local.get $name))
            (drop (call $fd_write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 48)))
            (local.set $cookie (i64.load offset=4096 (local.get $at)))
            (local.set $at (i32.add (i32.add (local.get $at) (i32.const 24)) (local.get $name)))
            (br $entry)))
        (local.set $rounds (i32.add (local.get $rounds) (i32.const 1)))
        (br_if $done (i32.gt_u (local.get $rounds) (i32.const 20)))
        (br_if $again (i32.eq (local.get $used) (i32.const 64)))))))
