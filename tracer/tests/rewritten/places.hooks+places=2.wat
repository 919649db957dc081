;; site 8 (0x8): i32.store of function 1 at 0x31
;; segment 16 (0x10): sites 8 to 8
;; mark 1: Place in function 0
;; mark 2: Place in function 1
;; mark 3: Place in function 1 at 0x2b
;; mark 4: Place in function 1 at 0x31
;; mark 5: Place in function 1 at 0x34
;; mark 6: Place in function 1 at 0x38
;; mark 7: Place in function 1 at 0x3d
;; mark 8: Place in function 1 at 0x47
(module
  (type (;0;) (func))
  (type (;1;) (func (param i32) (result i32)))
  (type (;2;) (func (param i32 i64 i64 i64)))
  (import "forkpoint" "event" (func $forkpoint:event (;0;) (type 2)))
  (table (;0;) 1 funcref)
  (memory (;0;) 1)
  (global (;0;) (mut i64) i64.const 0)
  (export "forkpoint:memory.0" (memory 0))
  (export "forkpoint:table.0" (table 0))
  (func $callee (;1;) (type 0)
    global.get 0
    i64.const 2
    i64.ge_u
    if ;; label = @1
      i32.const 4
      i64.const 1
      i64.const 0
      i64.const 0
      call $forkpoint:event
    end
  )
  (func (;2;) (type 1) (param $p i32) (result i32)
    (local i32 i32)
    global.get 0
    i64.const 2
    i64.ge_u
    if ;; label = @1
      i32.const 4
      i64.const 2
      i64.const 0
      i64.const 0
      call $forkpoint:event
    end
    global.get 0
    i64.const 2
    i64.ge_u
    if ;; label = @1
      i32.const 4
      i64.const 3
      i64.const 0
      i64.const 0
      call $forkpoint:event
    end
    loop ;; label = @1
      local.get $p
      i32.const 1
      global.get 0
      i64.const 2
      i64.ge_u
      if ;; label = @2
        i32.const 4
        i64.const 4
        i64.const 0
        i64.const 0
        call $forkpoint:event
      end
      local.set 2
      local.tee 1
      local.get 2
      i32.store
      global.get 0
      i64.const 1
      i64.add
      global.set 0
      i32.const 8
      local.get 1
      i64.extend_i32_u
      local.get 2
      i64.extend_i32_u
      i64.const 0
      call $forkpoint:event
      global.get 0
      i64.const 2
      i64.ge_u
      if ;; label = @2
        i32.const 4
        i64.const 5
        i64.const 0
        i64.const 0
        call $forkpoint:event
      end
      call $callee
      global.get 0
      i64.const 2
      i64.ge_u
      if ;; label = @2
        i32.const 4
        i64.const 5
        i64.const 0
        i64.const 0
        call $forkpoint:event
      end
      i32.const 0
      global.get 0
      i64.const 2
      i64.ge_u
      if ;; label = @2
        i32.const 4
        i64.const 6
        i64.const 0
        i64.const 0
        call $forkpoint:event
      end
      call_indirect (type 0)
      global.get 0
      i64.const 2
      i64.ge_u
      if ;; label = @2
        i32.const 4
        i64.const 6
        i64.const 0
        i64.const 0
        call $forkpoint:event
      end
      local.get $p
      global.get 0
      i64.const 2
      i64.ge_u
      if ;; label = @2
        i32.const 4
        i64.const 7
        i64.const 0
        i64.const 0
        call $forkpoint:event
      end
      i32.load
      br_if 0 (;@1;)
    end
    local.get $p
    i32.const 3
    global.get 0
    i64.const 2
    i64.ge_u
    if ;; label = @1
      i32.const 4
      i64.const 8
      i64.const 0
      i64.const 0
      call $forkpoint:event
    end
    i32.div_u
  )
)
