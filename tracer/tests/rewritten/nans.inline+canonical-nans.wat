;; site 8 (0x8): f32.store of function 0 at 0x27
;; site 9 (0x9): f64.store of function 0 at 0x2f
;; site 10 (0xa): v128.store of function 0 at 0x3b
;; segment 16 (0x10): sites 8 to 10
(module
  (type (;0;) (func (param f32 f64 v128)))
  (type (;1;) (func (param i32)))
  (type (;2;) (func (param i32) (result i32)))
  (import "forkpoint" "flush" (func (;0;) (type 1)))
  (memory (;0;) 1)
  (memory (;1;) 17 17)
  (export "forkpoint:memory.0" (memory 0))
  (export "forkpoint:buffer" (memory 1))
  (func (;1;) (type 0) (param $a f32) (param $b f64) (param $v v128)
    (local f32 i32 i32 f32 f64 f64 v128 v128)
    i32.const 0
    local.get $a
    local.get $a
    f32.add
    local.tee 3
    f32.const nan (;=NaN;)
    local.get 3
    local.get 3
    f32.eq
    select
    f32.neg
    i32.const 0
    i32.load 1
    local.set 4
    local.get 4
    i32.const 1048560
    i32.gt_u
    if ;; label = @1
      local.get 4
      call 2
      local.set 4
    end
    local.get 4
    i32.const 16
    i32.store 1 offset=16 align=1
    local.set 6
    local.tee 5
    local.get 6
    f32.store
    local.get 4
    local.get 5
    i32.store 1 offset=20 align=1
    local.get 4
    local.get 6
    f32.store 1 offset=24 align=1
    i32.const 0
    local.get 4
    i32.const 12
    i32.add
    i32.store 1
    i32.const 8
    local.get $b
    f64.sqrt
    local.tee 7
    f64.const nan (;=NaN;)
    local.get 7
    local.get 7
    f64.eq
    select
    local.set 8
    local.tee 5
    local.get 8
    f64.store
    local.get 4
    local.get 5
    i32.store 1 offset=28 align=1
    local.get 4
    local.get 8
    f64.store 1 offset=32 align=1
    i32.const 0
    local.get 4
    i32.const 24
    i32.add
    i32.store 1
    i32.const 16
    local.get $v
    local.get $v
    f32x4.div
    local.tee 9
    v128.const i32x4 0x7fc00000 0x7fc00000 0x7fc00000 0x7fc00000
    local.get 9
    local.get 9
    f32x4.eq
    v128.bitselect
    local.set 10
    local.tee 5
    local.get 10
    v128.store
    local.get 4
    local.get 5
    i32.store 1 offset=40 align=1
    local.get 4
    local.get 10
    v128.store 1 offset=44 align=1
    i32.const 0
    local.get 4
    i32.const 44
    i32.add
    i32.store 1
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
