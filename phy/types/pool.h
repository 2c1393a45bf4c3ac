// The resource pools of the sidelink: communication (TM1/TM2), V2X (TM3/TM4), discovery.
#pragma once

#include "phy/types/comm_pool.h"
#include "phy/types/discovery_pool.h"
#include "phy/types/subframe_set.h"
#include "phy/types/tbs.h"
#include "phy/types/time_pattern.h"
#include "phy/types/v2x_pool.h"
