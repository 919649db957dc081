;; site 8 (0x8): f32.store of function 0 at 0x23
;; site 9 (0x9): f64.store of function 0 at 0x2a
;; segment 16 (0x10): sites 8 to 8
;; segment 17 (0x11): sites 9 to 9
(module
  (type (;0;) (func (param i32 f32 f64)))
  (type (;1;) (func (param i32)))
  (type (;2;) (func (param i32) (result i32)))
  (import "forkpoint" "flush" (func (;0;) (type 1)))
  (memory (;0;) 1)
  (memory (;1;) 17 17)
  (export "forkpoint:memory.0" (memory 0))
  (export "forkpoint:buffer" (memory 1))
  (func (;1;) (type 0) (param $p i32) (param $f f32) (param $d f64)
    (local i32 i32 f32 i32 f64 i64)
    local.get $p
    local.get $f
    i32.const 0
    i32.load 1
    local.set 3
    local.get 3
    i32.const 1048560
    i32.gt_u
    if ;; label = @1
      local.get 3
      call 2
      local.set 3
    end
    local.get 3
    i32.const 16
    i32.store 1 offset=16 align=1
    local.set 5
    local.tee 4
    local.get 5
    f32.store
    local.get 3
    local.get 4
    i32.store 1 offset=20 align=1
    local.get 3
    local.get 5
    f32.store 1 offset=24 align=1
    i32.const 0
    local.get 3
    i32.const 12
    i32.add
    i32.store 1
    local.get 4
    i32.load align=1
    local.tee 6
    local.get 5
    i32.reinterpret_f32
    i32.ne
    if ;; label = @1
      i32.const 0
      i32.load 1
      local.set 3
      local.get 3
      i32.const 1
      i32.store 1 offset=16 align=1
      local.get 3
      local.get 6
      i64.extend_i32_u
      i64.store 1 offset=20 align=1
      i32.const 0
      local.get 3
      i32.const 20
      i32.add
      i32.store 1
    end
    local.get $p
    local.get $d
    i32.const 0
    i32.load 1
    local.set 3
    local.get 3
    i32.const 17
    i32.store 1 offset=16 align=1
    local.set 7
    local.tee 4
    local.get 7
    f64.store
    local.get 3
    local.get 4
    i32.store 1 offset=20 align=1
    local.get 3
    local.get 7
    f64.store 1 offset=24 align=1
    i32.const 0
    local.get 3
    i32.const 16
    i32.add
    i32.store 1
    local.get 4
    i64.load align=1
    local.tee 8
    local.get 7
    i64.reinterpret_f64
    i64.ne
    if ;; label = @1
      i32.const 0
      i32.load 1
      local.set 3
      local.get 3
      i32.const 1
      i32.store 1 offset=16 align=1
      local.get 3
      local.get 8
      i64.store 1 offset=20 align=1
      i32.const 0
      local.get 3
      i32.const 20
      i32.add
      i32.store 1
    end
  )
  (func (;2;) (type 2) (param i32) (result i32)
    i32.const 0
    local.get 0
    i32.store 1
    local.get 0
    call 0
    i32.const 0
    i32.const 0
    i32.load 1 offset=12
    local.tee 0
    i32.store 1
    local.get 0
  )
)
