;; site 8 (0x8): v128.store of function 0 at 0x2a
;; site 9 (0x9): v128.store of function 0 at 0x37
;; site 10 (0xa): v128.store of function 0 at 0x42
;; site 11 (0xb): v128.store of function 0 at 0x51
;; segment 16 (0x10): sites 8 to 11
(module
  (type (;0;) (func (param v128 v128 v128)))
  (type (;1;) (func (param i32)))
  (type (;2;) (func (param i32) (result i32)))
  (import "forkpoint" "flush" (func (;0;) (type 1)))
  (memory (;0;) 1)
  (memory (;1;) 17 17)
  (export "forkpoint:memory.0" (memory 0))
  (export "forkpoint:buffer" (memory 1))
  (func (;1;) (type 0) (param $a v128) (param $b v128) (param $c v128)
    (local v128 v128 v128 i32 i32)
    i32.const 0
    local.get $a
    local.get $b
    local.get $c
    local.set 3
    f32x4.mul
    local.get 3
    f32x4.add
    i32.const 0
    i32.load 1
    local.set 6
    local.get 6
    i32.const 1048560
    i32.gt_u
    if ;; label = @1
      local.get 6
      call 2
      local.set 6
    end
    local.get 6
    i32.const 16
    i32.store 1 offset=16 align=1
    local.set 3
    local.tee 7
    local.get 3
    v128.store
    local.get 6
    local.get 7
    i32.store 1 offset=20 align=1
    local.get 6
    local.get 3
    v128.store 1 offset=24 align=1
    i32.const 0
    local.get 6
    i32.const 24
    i32.add
    i32.store 1
    i32.const 16
    local.get $a
    local.get $b
    i8x16.swizzle
    local.set 3
    local.tee 7
    local.get 3
    v128.store
    local.get 6
    local.get 7
    i32.store 1 offset=40 align=1
    local.get 6
    local.get 3
    v128.store 1 offset=44 align=1
    i32.const 0
    local.get 6
    i32.const 44
    i32.add
    i32.store 1
    i32.const 32
    local.get $a
    i32x4.trunc_sat_f32x4_s
    local.set 3
    local.tee 7
    local.get 3
    v128.store
    local.get 6
    local.get 7
    i32.store 1 offset=60 align=1
    local.get 6
    local.get 3
    v128.store 1 offset=64 align=1
    i32.const 0
    local.get 6
    i32.const 64
    i32.add
    i32.store 1
    i32.const 48
    local.get $a
    local.get $b
    local.get $c
    v128.bitselect
    local.set 3
    local.tee 7
    local.get 3
    v128.store
    local.get 6
    local.get 7
    i32.store 1 offset=80 align=1
    local.get 6
    local.get 3
    v128.store 1 offset=84 align=1
    i32.const 0
    local.get 6
    i32.const 84
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
